#pragma once

#include <string>

#include "broker-agent/log/file_system.h"
#include "common/base/result.h"

namespace regent::storage {

/// The mark of a clean stop, `.kafka_cleanshutdown` in a data directory: everything in it had been
/// synced when the last life ended. It stands only while nobody works on the directory.

/// Takes the mark away, durably, before anything is believed because of it (KAFKA-10471); yields
/// whether it was there.
Result<bool> TakeCleanMark(FileSystem& files, const std::string& directory);
/// Sets the mark, durably. Everything has been synced.
Status SetCleanMark(FileSystem& files, const std::string& directory);

}  // namespace regent::storage
