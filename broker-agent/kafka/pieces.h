#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "broker-agent/core/file_slice.h"
#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/records.h"

namespace regent::kafka {

/// An encoded frame, to be sent in order: bytes of its own and, between them, slices that it only
/// holds a share in, so that records go from where they lie, in memory or in a file, to the socket
/// uncopied.
///
///   own_:      [ length, header, … records' length ][ … next length ][ … ]
///   foreign_:                                     ^ slice           ^ slice
class Pieces {
 public:
  using Piece = std::variant<std::string_view, FileSlice>;

  void Append(std::string_view bytes) { own_.append(bytes); }
  void Append(Slice slice) { AppendForeign(std::move(slice)); }
  void Append(FileSlice slice) { AppendForeign(std::move(slice)); }
  /// Replaces own bytes at `at`, which are there already.
  void Overwrite(size_t at, std::string_view bytes) { own_.replace(at, bytes.size(), bytes); }

  size_t size() const { return own_.size() + foreign_bytes_; }
  /// Returns what to send, in order, none of it empty. Valid while this object is neither changed
  /// nor moved.
  std::vector<Piece> InOrder() const;
  /// The same, of pieces that all lie in memory.
  std::vector<std::string_view> Views() const;
  /// Returns a copy of everything in one piece; reads the files, which must give out their slices.
  std::string Flatten() const;

 private:
  struct Foreign {
    size_t at = 0;  ///< How many own bytes come before it.
    Records records;
  };

  void AppendForeign(Records records);

  std::string own_;
  std::vector<Foreign> foreign_;  ///< Ascending.
  size_t foreign_bytes_ = 0;
};

size_t SizeOf(const Pieces::Piece& piece);
/// Takes away the first bytes of a piece, which has so many.
void RemoveFront(Pieces::Piece& piece, size_t bytes);

}  // namespace regent::kafka
