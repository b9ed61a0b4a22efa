#pragma once

#include <memory>

#include "broker-agent/log/file_system.h"

namespace regent::storage {

/// The machine's file system.
std::unique_ptr<FileSystem> MakePosixFileSystem();

}  // namespace regent::storage
