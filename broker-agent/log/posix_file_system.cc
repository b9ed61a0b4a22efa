#include "broker-agent/log/posix_file_system.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

namespace regent::storage {
namespace {

ErrorCode CodeOf(int error) {
  switch (error) {
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST:
    case ENOTEMPTY: return ErrorCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
    case EWOULDBLOCK: return ErrorCode::kRefused;
    // What a file system says of a device that has gone, a block that cannot be read, and of its
    // own structures or checksums (EUCLEAN, EBADMSG).
    case EIO:
    case ENXIO:
    case ENODEV:
    case ENODATA:
    case EUCLEAN:
    case EBADMSG: return ErrorCode::kDiskFailed;
    default: return ErrorCode::kUnavailable;
  }
}

Error ErrorOf(int error, const char* operation, const std::string& path) {
  return {CodeOf(error),
          std::string(operation) + " " + path + ": " + std::generic_category().message(error)};
}

/// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

Descriptor OpenAt(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

/// Drops the first `bytes` bytes of what `pieces` point at.
void Advance(std::vector<iovec>& pieces, size_t& first, size_t bytes) {
  while (first < pieces.size() && bytes >= pieces[first].iov_len) {
    bytes -= pieces[first].iov_len;
    ++first;
  }
  if (first < pieces.size()) {
    pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + bytes;
    pieces[first].iov_len -= bytes;
  }
}

/// As much as one call writes. The page cache of ext4 takes what one call writes into one large
/// folio; a kernel that is not preemptible keeps its processor from all other threads while it
/// copies that. Measured with 2 GiB on Linux 6.18: calls of 1 MiB take 1.8 to 8 times as long as
/// calls of 128 KiB, and a thread that shares the processor waits up to 1.9 ms (median) for it
/// instead of 0.08.
constexpr size_t kBytesPerWrite = 128 << 10;
/// And one that reads or prefetches, for the second of these reasons.
constexpr size_t kBytesPerRead = 128 << 10;

/// How many of the pieces, from `first` on, one call writes.
int CountOfWrite(const std::vector<iovec>& pieces, size_t first) {
  size_t end = first + 1;  // None is larger than one call writes.
  size_t bytes = pieces[first].iov_len;
  while (end < pieces.size() && end - first < IOV_MAX &&
         bytes + pieces[end].iov_len <= kBytesPerWrite) {
    bytes += pieces[end++].iov_len;
  }
  return static_cast<int>(end - first);
}

Status WriteAll(int fd, std::span<const std::string_view> bytes, const std::string& path) {
  std::vector<iovec> pieces;
  pieces.reserve(bytes.size());
  size_t room = kBytesPerWrite;  // Of a call.
  for (std::string_view piece : bytes) {
    while (!piece.empty()) {
      const std::string_view part = piece.substr(0, room);
      room = part.size() < room ? room - part.size() : kBytesPerWrite;
      // writev does not write to what it is given; the type is older than const.
      pieces.push_back({.iov_base = const_cast<char*>(part.data()), .iov_len = part.size()});
      piece.remove_prefix(part.size());
    }
  }
  size_t first = 0;
  while (first < pieces.size()) {
    const ssize_t written = ::writev(fd, &pieces[first], CountOfWrite(pieces, first));
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return ErrorOf(errno, "write", path);
    }
    Advance(pieces, first, static_cast<size_t>(written));
  }
  return Success{};
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  return WriteAll(fd, {&bytes, 1}, path);
}

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(Descriptor file, std::string path, uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Status AppendAll(std::span<const std::string_view> pieces) override {
    Status written = WriteAll(file_.get(), pieces, path_);
    if (written.ok()) {
      for (const std::string_view piece : pieces) {
        size_ += piece.size();
      }
    }
    return written;
  }

  Status Sync() override {
    if (::fdatasync(file_.get()) != 0) {
      return ErrorOf(errno, "sync", path_);
    }
    return Success{};
  }

  Status BeginWriteback(uint64_t offset, uint64_t bytes) override {
    // Without waiting for what it begins.
    if (::sync_file_range(file_.get(), static_cast<off64_t>(offset), static_cast<off64_t>(bytes),
                          SYNC_FILE_RANGE_WRITE) != 0 &&
        errno != ENOSYS && errno != EINVAL && errno != ESPIPE) {
      return ErrorOf(errno, "write back", path_);
    }
    return Success{};  // Or the system cannot do that with such a file: the sync will.
  }

  void LetGo(uint64_t offset, uint64_t bytes) override {
    ::posix_fadvise(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                    POSIX_FADV_DONTNEED);
  }

  uint64_t size() const override { return size_; }

 private:
  Descriptor file_;
  std::string path_;
  uint64_t size_;
};

class PosixReadFile final : public ReadFile {
 public:
  PosixReadFile(Descriptor file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  Result<size_t> ReadInto(uint64_t offset, std::span<char> into) const override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t count =
          ::pread(file_.get(), &into[done], std::min(into.size() - done, kBytesPerRead),
                  static_cast<off_t>(offset + done));
      if (count < 0) {
        if (errno == EINTR) {
          continue;
        }
        return ErrorOf(errno, "read", path_);
      }
      if (count == 0) {
        break;
      }
      done += static_cast<size_t>(count);
    }
    return done;
  }

  void StopReadingAhead() const override { ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_RANDOM); }

  void Prefetch(uint64_t offset, uint64_t length) const override {
    for (uint64_t done = 0; done < length; done += kBytesPerRead) {
      ::posix_fadvise(file_.get(), static_cast<off_t>(offset + done),
                      static_cast<off_t>(std::min<uint64_t>(length - done, kBytesPerRead)),
                      POSIX_FADV_WILLNEED);
    }
  }

  const std::string& path() const override { return path_; }
  int descriptor() const override { return file_.get(); }

  bool InMemory(uint64_t offset, size_t length) const override {
    static const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t before = offset % page_bytes;
    const size_t mapped = length + before;
    if (mapped == 0) {
      return true;
    }
    void* const pages = ::mmap(nullptr, mapped, PROT_READ, MAP_SHARED, file_.get(),
                               static_cast<off_t>(offset - before));
    if (pages == MAP_FAILED) {
      return false;
    }
    std::vector<unsigned char> resident((mapped + page_bytes - 1) / page_bytes);
    const bool known = ::mincore(pages, mapped, resident.data()) == 0;
    ::munmap(pages, mapped);
    return known &&
           std::ranges::all_of(resident, [](unsigned char page) { return (page & 1U) != 0; });
  }

 private:
  Descriptor file_;
  std::string path_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor file) : file_(std::move(file)) {}

 private:
  Descriptor file_;
};

EntryKind KindOf(const dirent& entry, const std::string& directory) {
  switch (entry.d_type) {
    case DT_REG: return EntryKind::kFile;
    case DT_DIR: return EntryKind::kDirectory;
    case DT_UNKNOWN: break;
    default: return EntryKind::kOther;
  }
  struct stat found {};
  if (::lstat(JoinPath(directory, entry.d_name).c_str(), &found) != 0) {
    return EntryKind::kOther;
  }
  if (S_ISDIR(found.st_mode)) {
    return EntryKind::kDirectory;
  }
  return S_ISREG(found.st_mode) ? EntryKind::kFile : EntryKind::kOther;
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::vector<DirectoryEntry>> List(const std::string& directory) override {
    DIR* const open = ::opendir(directory.c_str());
    if (open == nullptr) {
      return ErrorOf(errno, "list", directory);
    }
    std::vector<DirectoryEntry> entries;
    errno = 0;
    while (const dirent* const entry = ::readdir(open)) {  // NOLINT(concurrency-mt-unsafe)
      const std::string name = entry->d_name;
      if (name != "." && name != "..") {
        entries.push_back({.name = name, .kind = KindOf(*entry, directory)});
      }
      errno = 0;
    }
    const int error = errno;
    ::closedir(open);
    if (error != 0) {
      return ErrorOf(error, "list", directory);
    }
    std::ranges::sort(entries, {}, &DirectoryEntry::name);
    return entries;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat found {};
    if (::lstat(path.c_str(), &found) == 0) {
      return true;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
      return false;
    }
    return ErrorOf(errno, "look up", path);
  }

  Result<uint64_t> SizeOf(const std::string& file) override {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) {
      return ErrorOf(errno, "look up", file);
    }
    return static_cast<uint64_t>(found.st_size);
  }

  Result<std::string> Read(const std::string& file, uint64_t bytes_max) override {
    const Descriptor open = OpenAt(file, O_RDONLY);
    if (!open.ok()) {
      return ErrorOf(errno, "open", file);
    }
    std::string content;
    std::vector<char> buffer(size_t{64} << 10U);
    while (true) {
      const ssize_t count = ::read(open.get(), buffer.data(), buffer.size());
      if (count < 0) {
        if (errno == EINTR) {
          continue;
        }
        return ErrorOf(errno, "read", file);
      }
      if (count == 0) {
        return content;
      }
      content.append(buffer.data(), static_cast<size_t>(count));
      if (content.size() > bytes_max) {
        return Error{ErrorCode::kCorrupt,
                     file + " is larger than " + std::to_string(bytes_max) + " bytes"};
      }
    }
  }

  Status Replace(const std::string& file, std::string_view content) override {
    const std::string fresh = file + ".tmp";
    {
      const Descriptor open = OpenAt(fresh, O_WRONLY | O_CREAT | O_TRUNC);
      if (!open.ok()) {
        return ErrorOf(errno, "create", fresh);
      }
      if (Status written = WriteAll(open.get(), content, fresh); !written.ok()) {
        ::unlink(fresh.c_str());
        return written;
      }
      if (::fsync(open.get()) != 0) {
        const int error = errno;
        ::unlink(fresh.c_str());
        return ErrorOf(error, "sync", fresh);
      }
    }
    if (Status renamed = Rename(fresh, file); !renamed.ok()) {
      return renamed;
    }
    return SyncDirectory(DirectoryOf(file));
  }

  Status Create(const std::string& file, std::string_view content) override {
    const Descriptor open = OpenAt(file, O_WRONLY | O_CREAT | O_EXCL);
    if (!open.ok()) {
      return ErrorOf(errno, "create", file);
    }
    return WriteAll(open.get(), content, file);
  }

  Result<std::unique_ptr<AppendFile>> OpenAppend(const std::string& file, uint64_t size) override {
    Descriptor open = OpenAt(file, O_WRONLY | O_APPEND);
    if (!open.ok()) {
      return ErrorOf(errno, "open", file);
    }
    struct stat found {};
    if (::fstat(open.get(), &found) != 0) {
      return ErrorOf(errno, "look at", file);
    }
    // Only if need be: ext4 writes out a file that was cut to nothing when it is closed, all of it.
    if (found.st_size != static_cast<off_t>(size) &&
        ::ftruncate(open.get(), static_cast<off_t>(size)) != 0) {
      return ErrorOf(errno, "truncate", file);
    }
    return std::unique_ptr<AppendFile>(
        std::make_unique<PosixAppendFile>(std::move(open), file, size));
  }

  Result<std::shared_ptr<const ReadFile>> OpenRead(const std::string& file) override {
    Descriptor open = OpenAt(file, O_RDONLY);
    if (!open.ok()) {
      return ErrorOf(errno, "open", file);
    }
    return std::shared_ptr<const ReadFile>(std::make_shared<PosixReadFile>(std::move(open), file));
  }

  Status CreateDirectory(const std::string& directory) override {
    if (::mkdir(directory.c_str(), 0755) != 0) {
      return ErrorOf(errno, "create directory", directory);
    }
    return Success{};
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return ErrorOf(errno, "rename", from + " to " + to);
    }
    return Success{};
  }

  Status RemoveTree(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) {
      return ErrorOf(error.value(), "remove", path);
    }
    return Success{};
  }

  Status SyncDirectory(const std::string& directory) override {
    const Descriptor open = OpenAt(directory, O_RDONLY | O_DIRECTORY);
    if (!open.ok()) {
      return ErrorOf(errno, "open", directory);
    }
    if (::fsync(open.get()) != 0) {
      return ErrorOf(errno, "sync", directory);
    }
    return Success{};
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& file) override {
    Descriptor open = OpenAt(file, O_RDWR | O_CREAT);
    if (!open.ok()) {
      return ErrorOf(errno, "open", file);
    }
    if (::flock(open.get(), LOCK_EX | LOCK_NB) != 0) {
      return ErrorOf(errno, "lock", file);
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(open)));
  }
};

}  // namespace

std::unique_ptr<FileSystem> MakePosixFileSystem() {
  return std::make_unique<PosixFileSystem>();
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.ends_with('/')) {
    path += '/';
  }
  return path.append(name);
}

std::string DirectoryOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return ".";
  }
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

}  // namespace regent::storage
