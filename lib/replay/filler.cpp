#include "lib/replay/filler.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace mlq::replay {
namespace {

// Frozen: another list is another text for the same seed.
constexpr std::array<std::string_view, 256> kWords = {
    "the",      "of",      "and",      "to",     "in",      "is",     "you",     "that",      "it",
    "he",       "was",     "for",      "on",     "are",     "as",     "with",    "his",       "they",
    "at",       "be",      "this",     "have",   "from",    "or",     "one",     "had",       "by",
    "word",     "but",     "not",      "what",   "all",     "were",   "we",      "when",      "your",
    "can",      "said",    "there",    "use",    "an",      "each",   "which",   "she",       "do",
    "how",      "their",   "if",       "will",   "up",      "other",  "about",   "out",       "many",
    "then",     "them",    "these",    "so",     "some",    "her",    "would",   "make",      "like",
    "him",      "into",    "time",     "has",    "look",    "two",    "more",    "write",     "go",
    "see",      "number",  "no",       "way",    "could",   "people", "my",      "than",      "first",
    "water",    "been",    "call",     "who",    "its",     "now",    "find",    "long",      "down",
    "day",      "did",     "get",      "come",   "made",    "may",    "part",    "over",      "new",
    "sound",    "take",    "only",     "little", "work",    "know",   "place",   "year",      "live",
    "me",       "back",    "give",     "most",   "very",    "after",  "thing",   "our",       "just",
    "name",     "good",    "man",      "think",  "say",     "great",  "where",   "help",      "through",
    "much",     "before",  "line",     "right",  "too",     "mean",   "old",     "any",       "same",
    "tell",     "boy",     "follow",   "came",   "want",    "show",   "also",    "around",    "form",
    "three",    "small",   "set",      "put",    "end",     "does",   "another", "well",      "large",
    "must",     "big",     "even",     "such",   "because", "turn",   "here",    "why",       "ask",
    "went",     "men",     "read",     "need",   "land",    "home",   "move",    "try",       "kind",
    "hand",     "picture", "again",    "change", "off",     "play",   "air",     "away",      "animal",
    "house",    "point",   "page",     "letter", "mother",  "answer", "found",   "study",     "still",
    "learn",    "should",  "world",    "high",   "every",   "near",   "add",     "food",      "between",
    "own",      "below",   "country",  "plant",  "last",    "school", "father",  "keep",      "tree",
    "never",    "start",   "city",     "earth",  "eye",     "light",  "thought", "head",      "under",
    "story",    "saw",     "left",     "few",    "while",   "along",  "might",   "close",     "something",
    "seem",     "next",    "hard",     "open",   "example", "begin",  "life",    "always",    "those",
    "both",     "paper",   "together", "got",    "group",   "often",  "run",     "important", "until",
    "children", "side",    "feet",     "car",    "mile",    "night",  "walk",    "white",     "sea",
    "began",    "grow",    "took",     "river",
};

// " word", in 16 bytes, so that it is copied by two instructions.
struct Piece {
  char text[15];
  uint8_t size;
};
static_assert(sizeof(Piece) == 16);

constexpr std::array<Piece, 256> make_pieces() {
  std::array<Piece, 256> pieces{};
  for (size_t i = 0; i < kWords.size(); ++i) {
    pieces[i].text[0] = ' ';
    for (size_t k = 0; k < kWords[i].size(); ++k) pieces[i].text[k + 1] = kWords[i][k];
    pieces[i].size = static_cast<uint8_t>(kWords[i].size() + 1);
  }
  return pieces;
}
constexpr std::array<Piece, 256> kPieces = make_pieces();

constexpr uint32_t kFirstId = 1'000;
constexpr uint32_t kIds = 30'000;
constexpr std::string_view kPlain = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
static_assert(kPlain.size() == 64);

std::array<uint32_t, 4> lanes(const PhiloxCounter& c) { return {c.c0, c.c1, c.c2, c.c3}; }
uint8_t byte_of(const std::array<uint32_t, 4>& bits, uint64_t k) {
  return static_cast<uint8_t>(bits[k / 4 % 4] >> (k % 4 * 8));
}
uint16_t half_of(const std::array<uint32_t, 4>& bits, uint64_t k) {
  return static_cast<uint16_t>(bits[k / 2 % 4] >> (k % 2 * 16));
}

}  // namespace

void Filler::words(Content content, uint64_t index, uint64_t count, jsonl::Buffer& out,
                   uint64_t first) const {
  for (uint64_t done = 0; done < count; done += 16) {
    const auto bits =
        lanes(draws_.bits(index, static_cast<uint32_t>((first + done) / 16), static_cast<uint32_t>(content)));
    const uint64_t n = std::min<uint64_t>(16, count - done);
    char* const begin = out.reserve(17 * sizeof(Piece));
    char* at = begin;
    for (uint64_t k = 0; k < n; ++k) {
      const Piece& piece = kPieces[byte_of(bits, k)];
      std::memcpy(at, &piece, sizeof piece);
      at += piece.size;
    }
    out.advance(static_cast<size_t>(at - begin));
  }
}

void Filler::ids(Content content, uint64_t index, uint64_t count, jsonl::Buffer& out) const {
  for (uint64_t done = 0; done < count; done += 8) {
    const auto bits =
        lanes(draws_.bits(index, static_cast<uint32_t>(done / 8), static_cast<uint32_t>(content)));
    const uint64_t n = std::min<uint64_t>(8, count - done);
    for (uint64_t k = 0; k < n; ++k) {
      out.raw(',');
      out.integer(kFirstId + (half_of(bits, k) * kIds >> 16));
    }
  }
}

void Filler::bytes(uint64_t index, uint64_t count, jsonl::Buffer& out) const {
  for (uint64_t done = 0; done < count; done += 16) {
    const auto bits =
        lanes(draws_.bits(index, static_cast<uint32_t>(done / 16), static_cast<uint32_t>(Content::bytes)));
    const uint64_t n = std::min<uint64_t>(16, count - done);
    char* at = out.reserve(16);
    for (uint64_t k = 0; k < n; ++k) at[k] = kPlain[byte_of(bits, k) % 64];
    out.advance(n);
  }
}

}  // namespace mlq::replay
