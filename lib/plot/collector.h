// What mlq-plot keeps of a stream of records for the pictures of one kind, and the table of the kinds.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/plot/picture.h"
#include "lib/records/reader.h"

namespace mlq::plot {

// What one stream is reduced to while it is read, in memory that does not grow with it (each source file says
// what is exact and what is not). Not thread-safe.
class Collector {
 public:
  virtual ~Collector() = default;
  // Takes the current record; false if it says nothing to this kind. Input Errors for a wrong field.
  virtual bool take(const records::Reader& at) = 0;
  // The stream has ended; its run and end records are there.
  virtual void end(const records::Reader&) {}
  // Adds curves, and sets title and axes, for one of the kind's pictures; adds nothing where the stream has
  // nothing. `prefix` begins the curves' names: "" or a file's name with a blank.
  virtual void draw(std::string_view picture, const std::string& prefix, Picture& into) const = 0;
};

struct PictureKind {
  std::string_view name;
  std::string_view summary;
};

struct Kind {
  std::string_view name;
  std::string_view summary;
  std::vector<std::string_view> types;  // of the records that it may take
  std::vector<PictureKind> pictures;    // the most telling first
  std::unique_ptr<Collector> (*make)();
};

// In the order of the man page. Built on the first call; thread-safe.
const std::vector<Kind>& kinds();

// Records that no kind takes, and why there is nothing to draw of them. With the types of the kinds these are
// all that mlq has.
struct NotDrawn {
  std::string_view type;
  std::string_view why;
};
std::span<const NotDrawn> not_drawn();

// By its name; nullptr if there is none.
const Kind* kind_named(std::string_view name);

// The kinds, each declared in the source that has its collector.
Kind trace_kind();
Kind check_kind();
Kind replay_kind();
Kind serve_kind();
Kind model_kind();
Kind tune_kind();
Kind tuners_kind();
Kind quant_kind();
Kind patch_kind();
Kind gather_kind();
Kind simigrad_kind();
Kind bench_kind();

}  // namespace mlq::plot
