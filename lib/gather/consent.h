// Small messages by which ranks find out whether all of them can go on, before anything large is sent.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "lib/base/error.h"
#include "lib/ranks/comm.h"

namespace mlq::gather {

inline constexpr size_t kNoteBytes = 96;
using NoteData = std::array<std::byte, kNoteBytes>;

// An Error that all ranks throw alike, since they found it out together: it is enough if one of them says it.
class AgreedError : public Error {
 public:
  explicit AgreedError(const Error& error) : Error(error) {}
};

// Does what depends on nothing but what all ranks have been told; its Error is an AgreedError.
template <class Work>
auto agreed(const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw AgreedError(error);
  }
}

// The data of all ranks. If one of them has failed, all throw the same AgreedError: what the first rank that
// did has to say, with its number. Long messages are cut.
std::vector<NoteData> exchange_notes(ranks::Comm& comm, const NoteData& mine,
                                     const std::optional<Error>& failure = std::nullopt);

// Does the work and returns the Error that it throws.
template <class Work>
std::optional<Error> failure_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

// Plain values in a note, at an offset.
template <class T>
void put(NoteData& note, size_t at, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  std::copy(first, first + sizeof value, note.begin() + static_cast<ptrdiff_t>(at));
}
template <class T>
T take(const NoteData& note, size_t at) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::copy_n(note.begin() + static_cast<ptrdiff_t>(at), sizeof value, reinterpret_cast<std::byte*>(&value));
  return value;
}

}  // namespace mlq::gather
