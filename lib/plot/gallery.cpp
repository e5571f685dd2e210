#include "lib/plot/gallery.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/records/registry.h"

namespace mlq::plot {
namespace {

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

std::string where(const std::vector<Stream>& streams) {
  return streams.size() == 1 ? streams.front().name : fmt::format("{} inputs", streams.size());
}

}  // namespace

Stream read_stream(records::Reader& reader, std::string name) {
  Stream stream;
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
    if (!taken && !is_known(reader.type())) reader.pass_over();
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

Choice choose(const std::vector<Stream>& streams, const std::string& kind, const std::string& picture) {
  const Kind* wanted = kind.empty() ? nullptr : kind_named(kind);
  if (wanted != nullptr && !picture.empty()) {
    const auto known = [&](const PictureKind& p) { return p.name == picture; };
    if (std::none_of(wanted->pictures.begin(), wanted->pictures.end(), known))
      throw usage_error("--picture: {} has no \"{}\"; it has {}", kind, picture, names_of(wanted->pictures));
  }
  const std::vector<Choice> all = choices(streams);
  for (const Choice& choice : all) {
    if (wanted != nullptr && choice.kind != wanted) continue;
    if (picture.empty() || choice.picture->name == picture) return choice;
  }
  if (all.empty()) {
    std::string known;
    for (const Kind& k : kinds()) known += fmt::format("{}{}", known.empty() ? "" : ", ", k.name);
    throw input_error("{}: nothing to draw: no record of a kind that can be drawn ({}; see mlq-plot(1))",
                      where(streams), known);
  }
  throw input_error("{}: nothing to draw for {}; what can be drawn: {}", where(streams),
                    picture.empty() ? "--kind " + kind : "--picture " + picture, list_of(all));
}

Picture draw(const std::vector<Stream>& streams, const Choice& choice) {
  Picture picture;
  for (const Stream& stream : streams) {
    for (const Stream::Part& part : stream.parts) {
      if (part.kind != choice.kind) continue;
      part.collector->draw(choice.picture->name, streams.size() > 1 ? stream.name + " " : "", picture);
    }
  }
  if (streams.size() == 1 && !streams.front().subject.empty())
    picture.title += " - " + streams.front().subject;
  return picture;
}

}  // namespace mlq::plot
