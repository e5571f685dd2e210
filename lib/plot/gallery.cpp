#include "lib/plot/gallery.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/records/registry.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostLeft = 16;
constexpr std::string_view kAllPictures = "all";

std::string subject_of(const records::Reader& reader) {
  if (reader.runs().empty()) return "";
  const records::Run& run = reader.runs().front();
  return run.url.value_or(run.spec.value_or(run.tuner.value_or(run.tool)));
}

Stream::Part* part_of(Stream& stream, const Kind& kind) {
  const auto found = std::find_if(stream.parts.begin(), stream.parts.end(),
                                  [&](const Stream::Part& part) { return part.kind == &kind; });
  return found == stream.parts.end() ? nullptr : &*found;
}

// A type that mlq has, though there may be nothing to draw of it.
bool is_known(std::string_view type) {
  const auto& types = records::registry();
  return std::any_of(types.begin(), types.end(),
                     [&](const records::TypeInfo& info) { return info.type == type; });
}

bool takes(const Kind& kind, std::string_view type) {
  return std::find(kind.types.begin(), kind.types.end(), type) != kind.types.end();
}

bool can_draw(const std::vector<Stream>& streams, const Kind& kind, const PictureKind& picture) {
  return !draw(streams, {&kind, &picture}).empty();
}

std::string list_of(const std::vector<Choice>& all) {
  std::string out;
  const Kind* last = nullptr;
  for (const Choice& choice : all) {
    if (choice.kind == last) {
      out += fmt::format(", {}", choice.picture->name);
    } else {
      out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", choice.kind->name, choice.picture->name);
    }
    last = choice.kind;
  }
  return out;
}

std::string names_of(const std::vector<PictureKind>& pictures) {
  std::string out;
  for (const PictureKind& picture : pictures)
    out += fmt::format("{}{}", out.empty() ? "" : ", ", picture.name);
  return out;
}

bool has(const Kind& kind, std::string_view picture) {
  return std::any_of(kind.pictures.begin(), kind.pictures.end(),
                     [&](const PictureKind& p) { return p.name == picture; });
}

// ` (verdict is a yes or a no)`, of the first types that no kind takes.
std::string why_not(const std::vector<Stream>& streams) {
  constexpr size_t kMost = 3;
  std::vector<std::string> parts;
  for (const Stream& stream : streams) {
    for (const std::string& type : stream.left) {
      for (const NotDrawn& none : not_drawn()) {
        const std::string part = fmt::format("{} {}", type, none.why);
        if (none.type == type && parts.size() < kMost &&
            std::find(parts.begin(), parts.end(), part) == parts.end())
          parts.push_back(part);
      }
    }
  }
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, "; "));
}

std::string where(const std::vector<Stream>& streams) {
  return streams.size() == 1 ? streams.front().source : fmt::format("{} inputs", streams.size());
}

}  // namespace

Stream read_stream(records::Reader& reader, std::string name) {
  Stream stream;
  stream.source = reader.name();
  stream.name = std::move(name);
  while (reader.next()) {
    bool taken = false;
    for (const Kind& kind : kinds()) {
      if (!takes(kind, reader.type())) continue;
      Stream::Part* part = part_of(stream, kind);
      std::unique_ptr<Collector> fresh = part == nullptr ? kind.make() : nullptr;
      const bool took = (fresh ? *fresh : *part->collector).take(reader);
      if (took && fresh) stream.parts.push_back({&kind, std::move(fresh)});
      taken = taken || took;
    }
    if (taken) continue;
    if (!is_known(reader.type())) {
      reader.pass_over();
    } else if (stream.left.size() < kMostLeft &&
               std::find(stream.left.begin(), stream.left.end(), reader.type()) == stream.left.end()) {
      stream.left.emplace_back(reader.type());
    }
  }
  for (Stream::Part& part : stream.parts) part.collector->end(reader);
  stream.subject = subject_of(reader);
  return stream;
}

std::vector<Choice> choices(const std::vector<Stream>& streams) {
  std::vector<Choice> out;
  std::vector<const Kind*> seen;
  for (const Stream& stream : streams) {
    for (const Stream::Part& part : stream.parts) {
      if (std::find(seen.begin(), seen.end(), part.kind) != seen.end()) continue;
      seen.push_back(part.kind);
      for (const PictureKind& picture : part.kind->pictures) {
        if (can_draw(streams, *part.kind, picture)) out.push_back({part.kind, &picture});
      }
    }
  }
  return out;
}

namespace {

// A name that is no picture's, whatever the streams hold.
void check_name(const std::vector<Stream>& streams, const std::vector<Choice>& all, const Kind* kind,
                const std::string& name) {
  if (name == kAllPictures) return;
  if (kind != nullptr && !has(*kind, name))
    throw usage_error("--picture: {} has no \"{}\"; it has {}", kind->name, name, names_of(kind->pictures));
  if (std::any_of(kinds().begin(), kinds().end(), [&](const Kind& k) { return has(k, name); })) return;
  throw usage_error("--picture: there is no \"{}\"; of {} can be drawn: {}", name, where(streams),
                    all.empty() ? "nothing" : list_of(all));
}

}  // namespace

std::vector<Choice> choose(const std::vector<Stream>& streams, const std::string& kind,
                           const std::vector<std::string>& pictures) {
  const Kind* wanted = kind.empty() ? nullptr : kind_named(kind);
  std::vector<Choice> all = choices(streams);
  for (const std::string& name : pictures) check_name(streams, all, wanted, name);
  if (all.empty()) {
    throw input_error("{}: nothing to draw{}; see mlq-plot(1) for what can be drawn", where(streams),
                      why_not(streams));
  }
  if (wanted != nullptr) std::erase_if(all, [&](const Choice& choice) { return choice.kind != wanted; });
  if (all.empty())
    throw input_error("{}: nothing to draw for --kind {}; what can be drawn: {}", where(streams), kind,
                      list_of(choices(streams)));
  if (pictures.empty()) return {all.front()};
  std::vector<Choice> out;
  for (const std::string& name : pictures) {
    const size_t before = out.size();
    for (const Choice& choice : all) {
      const bool chosen = name == kAllPictures ? choice.kind == all.front().kind
                                               : choice.picture->name == name && out.size() == before;
      if (chosen) out.push_back(choice);
    }
    if (out.size() == before)
      throw input_error("{}: nothing to draw for --picture {}; what can be drawn: {}", where(streams), name,
                        list_of(all));
  }
  return out;
}

Picture draw(const std::vector<Stream>& streams, const Choice& choice) {
  Picture picture;
  for (const Stream& stream : streams) {
    for (const Stream::Part& part : stream.parts) {
      if (part.kind != choice.kind) continue;
      part.collector->draw(choice.picture->name, streams.size() > 1 ? stream.name + " " : "", picture);
    }
  }
  std::erase_if(picture.curves, [&](const Curve& curve) { return !picture.shows(curve); });
  if (streams.size() == 1) picture.subject = streams.front().subject;
  return picture;
}

}  // namespace mlq::plot
