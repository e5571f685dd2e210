#include "lib/gather/consent.h"

#include <algorithm>
#include <cstring>

#include "lib/quant/tree_hash.h"

namespace mlq::gather {
namespace {

struct Note {
  quant::Digest digest{};  // of what follows
  uint8_t kind = 0;        // ExitKind of a failure
  uint8_t zero[3] = {};
  uint32_t text_bytes = 0;
  char text[392] = {};
  NoteData data{};
};
static_assert(sizeof(Note) == 512);

quant::Digest digest_of(const Note& note) {
  return quant::digest_of(std::as_bytes(std::span(&note, 1)).subspan(sizeof note.digest));
}

std::string_view text_of(const Note& note) {
  return {note.text, std::min<size_t>(note.text_bytes, sizeof note.text)};
}

}  // namespace

std::vector<NoteData> exchange_notes(ranks::Comm& comm, const NoteData& mine,
                                     const std::optional<Error>& failure) {
  Note own;
  own.data = mine;
  if (failure) {
    const std::string_view what = failure->what();
    own.kind = static_cast<uint8_t>(failure->kind());
    own.text_bytes = static_cast<uint32_t>(std::min(what.size(), sizeof own.text));
    std::memcpy(own.text, what.data(), own.text_bytes);
  }
  own.digest = digest_of(own);
  std::vector<Note> notes(comm.size());
  comm.all_gather(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(notes)));
  for (size_t rank = 0; rank < notes.size(); ++rank)
    if (notes[rank].digest != digest_of(notes[rank]))
      throw environment_error("a message of rank {} arrived damaged; check memory and network", rank);
  for (size_t rank = 0; rank < notes.size(); ++rank)
    if (notes[rank].kind != 0)
      throw AgreedError(Error(static_cast<ExitKind>(notes[rank].kind),
                              comm.size() == 1 ? std::string(text_of(notes[rank]))
                                               : fmt::format("rank {}: {}", rank, text_of(notes[rank]))));
  std::vector<NoteData> out;
  for (const Note& note : notes) out.push_back(note.data);
  return out;
}

}  // namespace mlq::gather
