// The pictures that one or several streams can give.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/plot/collector.h"

namespace mlq::plot {

// A stream that was read to its end.
struct Stream {
  struct Part {
    const Kind* kind;
    std::unique_ptr<Collector> collector;
  };
  std::string source;       // what was read, for messages
  std::string name;         // of its curves
  std::string subject;      // what was run, from its first run record: a URL, a spec, a program; may be empty
  std::vector<Part> parts;  // by the first record of each
  std::vector<std::string> left;  // types of records that no kind has drawn, each once, at most 16
};

// Reads all records. Collects for every kind that occurs, as what is drawn may be decided by what there is.
// Records of other types are passed over. Input Errors as the reader's; its finish() is the caller's.
Stream read_stream(records::Reader& reader, std::string name);

// One picture that can be drawn.
struct Choice {
  const Kind* kind;
  const PictureKind* picture;
};

// All that can be drawn, by kind in the order in which the streams have them.
std::vector<Choice> choices(const std::vector<Stream>& streams);
// Those that were asked for, in that order: by their names, of which `all` is every one of a kind; without a
// name the first there is. An input Error names what could be drawn and why the rest could not; a usage Error
// a name that no picture has, or none of the kind that was asked for.
std::vector<Choice> choose(const std::vector<Stream>& streams, const std::string& kind,
                           const std::vector<std::string>& pictures);

// The picture, with the curves of all streams that show something, whose names go in front of the curves' if
// there are several.
Picture draw(const std::vector<Stream>& streams, const Choice& choice);

}  // namespace mlq::plot
