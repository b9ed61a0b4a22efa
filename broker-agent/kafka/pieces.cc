#include "broker-agent/kafka/pieces.h"

#include <glog/logging.h>

#include "broker-agent/log/file_system.h"
#include "common/base/overloaded.h"

namespace regent::kafka {

void Pieces::AppendForeign(Records records) {
  if (const size_t bytes = SizeOf(records); bytes != 0) {
    foreign_bytes_ += bytes;
    foreign_.push_back({.at = own_.size(), .records = std::move(records)});
  }
}

std::vector<Pieces::Piece> Pieces::InOrder() const {
  std::vector<Piece> pieces;
  pieces.reserve(2 * foreign_.size() + 1);
  const std::string_view own = own_;
  size_t sent = 0;
  for (const Foreign& foreign : foreign_) {
    if (foreign.at != sent) {
      pieces.emplace_back(own.substr(sent, foreign.at - sent));
      sent = foreign.at;
    }
    std::visit(Overloaded{
                   [&](const Slice& slice) { pieces.emplace_back(slice.bytes()); },
                   [&](const FileSlice& slice) { pieces.emplace_back(slice); },
               },
               foreign.records);
  }
  if (sent != own.size()) {
    pieces.emplace_back(own.substr(sent));
  }
  return pieces;
}

std::vector<std::string_view> Pieces::Views() const {
  const std::vector<Piece> pieces = InOrder();
  std::vector<std::string_view> views;
  views.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    CHECK(std::holds_alternative<std::string_view>(piece)) << "a piece lies in a file";
    views.push_back(std::get<std::string_view>(piece));
  }
  return views;
}

std::string Pieces::Flatten() const {
  std::string bytes;
  bytes.reserve(size());
  for (const Piece& piece : InOrder()) {
    std::visit(Overloaded{
                   [&](std::string_view view) { bytes.append(view); },
                   [&](const FileSlice& slice) {
                     const auto read = slice.file->ReadAt(slice.position, slice.length);
                     CHECK(read.ok() && read->size() == slice.length) << "a file has lost a slice";
                     bytes.append(*read);
                   },
               },
               piece);
  }
  return bytes;
}

size_t SizeOf(const Pieces::Piece& piece) {
  return std::visit(Overloaded{
                        [](std::string_view view) { return view.size(); },
                        [](const FileSlice& slice) { return static_cast<size_t>(slice.length); },
                    },
                    piece);
}

void RemoveFront(Pieces::Piece& piece, size_t bytes) {
  std::visit(Overloaded{
                 [bytes](std::string_view& view) { view.remove_prefix(bytes); },
                 [bytes](FileSlice& slice) {
                   slice.position += bytes;
                   slice.length -= bytes;
                 },
             },
             piece);
}

}  // namespace regent::kafka
