#include <algorithm>

#include "lib/serve/protocol/pointer.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {

PatchTemplate PatchTemplate::parse(std::string document, const Json& set, const std::string& where,
                                   const Names& names) {
  PatchTemplate out;
  out.document_ = std::move(document);
  const Fields fields(set, where);
  for (const auto& [pointer, value] : *set.as<Json::Object>()) {
    const std::string at = fields.where(pointer);
    const auto tokens = serve::pointer_tokens(pointer);
    if (!tokens) throw input_error("{}: \"{}\" is no JSON pointer; write it as in /a/0/b", where, pointer);
    const auto* text = value.as<std::string>();
    out.changes_.push_back({pointer, *tokens, JsonTemplate::parse(value, names, at),
                            text == nullptr ? std::nullopt : Template::parse(*text, names, at).sole()});
  }
  if (out.changes_.empty()) throw input_error("{}: nothing is set", where);
  return out;
}

Failed PatchTemplate::apply(const Scope& scope, Json& document) const {
  for (const Change& change : changes_)
    if (!document.set(change.tokens, change.value.fill(scope)))
      return Failure{ApplyResult::broken,
                     fmt::format("{}: {} leads nowhere in it", document_, change.pointer)};
  return std::nullopt;
}

void PatchTemplate::read(const Json& document, const Space* space, Config& out) const {
  for (const Change& change : changes_) {
    const Json* found = change.knob ? document.at(change.tokens) : nullptr;
    const auto value = found == nullptr ? std::nullopt : unfilled(*change.knob, *found, space);
    if (value && std::ranges::none_of(out, [&](const auto& k) { return k.first == change.knob->name; }))
      out.emplace_back(change.knob->name, *value);
  }
}

std::string PatchTemplate::describe(const Scope& scope) const {
  Scope shown = scope;
  shown.show = true;
  std::string line = document_ + ":";
  for (const Change& change : changes_)
    line += fmt::format(" {}={}", change.pointer, change.value.fill(shown).text());
  return line;
}

}  // namespace mlq::tune
