#include "lib/tune/actuator/template.h"

#include <algorithm>
#include <array>

#include "lib/base/error.h"
#include "lib/base/nearest.h"

namespace mlq::tune {
namespace {

constexpr std::string_view kEnv = "@env:";
constexpr std::string_view kFile = "@file:";
constexpr std::string_view kHidden = "***";

constexpr std::array<std::pair<std::string_view, Filter>, 5> kFilters = {
    {{"str", Filter::str},
     {"int", Filter::integer},
     {"json", Filter::json},
     {"json_string", Filter::json_string},
     {"url", Filter::url}}};

bool name_begins(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool name_goes_on(char c) { return name_begins(c) || (c >= '0' && c <= '9'); }
size_t name_length(std::string_view text) {
  if (text.empty() || !name_begins(text[0])) return 0;
  return static_cast<size_t>(std::ranges::find_if_not(text, name_goes_on) - text.begin());
}

std::string quoted(std::string_view text) {
  jsonl::Buffer out;
  out.string(text);
  return std::string(out.view());
}

// Unreserved characters of RFC 3986 stay.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (name_goes_on(c) || c == '-' || c == '.' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

std::string as_text(const Json& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  if (const auto* real = value.as<double>()) return serve::knob_text(*real);
  return value.text();
}

Json as_integer(const Json& value, const std::string& name) {
  if (const auto* flag = value.as<bool>()) return Json(Json::Value(int64_t{*flag}));
  std::string error;
  const auto* text = value.as<std::string>();
  const std::optional<Json> read = text == nullptr ? value : Json::parse(*text, error);
  if (read && read->as<int64_t>() != nullptr) return *read;
  const auto number = read ? read->number() : std::nullopt;
  if (!number || !(*number > -0x1p63 && *number < 0x1p63))
    throw input_error("${{{}|int}}: {} is no number", name, value.text());
  return Json(Json::Value(static_cast<int64_t>(*number)));
}

// As a member of a JSON document.
Json filtered(const Json& value, Filter filter, const std::string& name) {
  switch (filter) {
    case Filter::none:
    case Filter::json:
      return value;
    case Filter::str:
      return Json(Json::Value(as_text(value)));
    case Filter::integer:
      return as_integer(value, name);
    case Filter::json_string:
      return Json(Json::Value(value.text()));
    case Filter::url:
      return Json(Json::Value(percent_encoded(as_text(value))));
  }
  return value;
}

// In the middle of a text.
std::string filtered_text(const Json& value, Filter filter, const std::string& name) {
  switch (filter) {
    case Filter::json:
      return value.text();
    case Filter::json_string:
      return quoted(value.text());
    default:
      return as_text(filtered(value, filter, name));
  }
}

Json value_of(const std::string& name, const Scope& scope) {
  for (const auto& [knob, value] : *scope.config)
    if (knob == name) return Json(value);
  if (scope.documents != nullptr)
    if (const auto found = scope.documents->find(name); found != scope.documents->end()) return found->second;
  if (scope.show) return Json(Json::Value("<" + name + ">"));  // a document that was not read
  throw input_error("${{{}}}: the configuration has no such knob", name);
}

std::vector<std::string> knobs_and_documents(const Names& names) {
  std::vector<std::string> all = names.documents;
  if (names.space == nullptr) return all;
  for (const Axis& axis : names.space->axes()) all.push_back(axis.name);
  for (const DerivedKnob& knob : names.space->derived()) all.push_back(knob.name);
  return all;
}

std::string meant(std::string_view given, const std::vector<std::string>& known) {
  const std::string near = nearest(std::string(given), known);
  return near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near);
}

Filter filter_of(std::string_view text, const std::string& where) {
  std::vector<std::string> known;
  for (const auto& [name, filter] : kFilters) {
    if (name == text) return filter;
    known.emplace_back(name);
  }
  throw input_error("{}: there is no filter \"{}\" (str int json json_string url){}", where, text,
                    meant(text, known));
}

const std::string& var_of(const std::string& name, const Names& names, const std::string& where) {
  const auto found = names.vars.find(name);
  if (found != names.vars.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [var, value] : names.vars) known.push_back(var);
  throw input_error("{}: ${} is not in \"vars\"{}", where, name, meant(name, known));
}

}  // namespace

std::string Secrets::reveal(const std::string& reference) {
  const auto found = known_.find(reference);
  if (found != known_.end()) return found->second;
  if (!reveal_) throw input_error("{}: secrets cannot be had here", reference);
  return known_[reference] = reveal_(reference);
}

std::string Secrets::hide(std::string text) const {
  const auto replace = [&](const std::string& what) {
    if (what.empty()) return;
    for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += kHidden.size())
      text.replace(at, what.size(), kHidden);
  };
  for (const auto& [reference, secret] : known_) {
    const std::string in_json = quoted(secret);
    replace(secret);
    replace(in_json.substr(1, in_json.size() - 2));
    replace(percent_encoded(secret));
  }
  return text;
}

std::optional<Template::Piece> Template::place_of(std::string_view inside, const Names& names,
                                                  const std::string& where) {
  const size_t bar = inside.find('|');
  const std::string name(inside.substr(0, bar));
  if (name.empty()) throw input_error("{}: ${{{}}} names no knob", where, inside);
  if (!names.places) throw input_error("{}: ${{{}}}: what stands here does not change", where, name);
  const Filter filter = bar == inside.npos ? Filter::none : filter_of(inside.substr(bar + 1), where);
  const std::vector<std::string> known = knobs_and_documents(names);
  if (names.space != nullptr && std::ranges::find(known, name) == known.end())
    throw input_error("{}: ${{{}}} is neither a knob nor read by an earlier step{}", where, name,
                      meant(name, known));
  return Piece{Piece::Kind::place, name, filter};
}

Template Template::parse(std::string_view text, const Names& names, const std::string& where) {
  Template out;
  std::string plain;
  const auto add = [&](Piece piece) {
    if (!plain.empty()) out.pieces_.push_back({Piece::Kind::text, std::exchange(plain, {})});
    out.pieces_.push_back(std::move(piece));
  };
  while (!text.empty()) {
    size_t taken = 1;
    if (text.starts_with("$$")) {
      plain += '$';
      taken = 2;
    } else if (text.starts_with("${")) {
      const size_t end = text.find('}');
      if (end == text.npos) throw input_error("{}: ${{ without }}; write $$ for a dollar", where);
      add(*place_of(text.substr(2, end - 2), names, where));
      taken = end + 1;
    } else if (text[0] == '$') {
      const std::string name(text.substr(1, name_length(text.substr(1))));
      if (name.empty()) throw input_error("{}: a $ that stands alone; write $$ for a dollar", where);
      // A variable may be a secret, and nothing else that is filled in.
      Names none;
      none.places = false;
      const Template value = parse(var_of(name, names, where), none, where + ": $" + name);
      for (const Piece& piece : value.pieces_) {
        if (piece.kind == Piece::Kind::text)
          plain += piece.text;
        else
          add(piece);
      }
      taken = 1 + name.size();
    } else if (text.starts_with(kFile)) {
      add({Piece::Kind::secret, std::string(text)});
      taken = text.size();
    } else if (text.starts_with(kEnv)) {
      taken = kEnv.size() + name_length(text.substr(kEnv.size()));
      if (taken == kEnv.size()) throw input_error("{}: @env: names no variable", where);
      add({Piece::Kind::secret, std::string(text.substr(0, taken))});
    } else {
      plain += text[0];
    }
    text.remove_prefix(taken);
  }
  if (!plain.empty()) out.pieces_.push_back({Piece::Kind::text, std::move(plain)});
  return out;
}

std::string Template::fill(const Scope& scope) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    if (piece.kind == Piece::Kind::text)
      out += piece.text;
    else if (piece.kind == Piece::Kind::place)
      out += filtered_text(value_of(piece.text, scope), piece.filter, piece.text);
    else
      out += scope.show ? std::string(kHidden) : scope.secrets->reveal(piece.text);
  }
  return out;
}

Json Template::fill_json(const Scope& scope) const {
  if (const auto only = sole()) return filtered(value_of(only->name, scope), only->filter, only->name);
  return Json(Json::Value(fill(scope)));
}

std::optional<Template::Sole> Template::sole() const {
  if (pieces_.size() != 1 || pieces_[0].kind != Piece::Kind::place) return std::nullopt;
  return Sole{pieces_[0].text, pieces_[0].filter};
}

bool Template::has_secret() const {
  return std::ranges::any_of(pieces_, [](const Piece& p) { return p.kind == Piece::Kind::secret; });
}

std::optional<std::string> Template::constant() const {
  if (pieces_.empty()) return std::string();
  if (pieces_.size() > 1 || pieces_[0].kind != Piece::Kind::text) return std::nullopt;
  return pieces_[0].text;
}

JsonTemplate JsonTemplate::parse(const Json& document, const Names& names, const std::string& where) {
  JsonTemplate out;
  if (const auto* text = document.as<std::string>()) {
    out.node_ = Template::parse(*text, names, where);
  } else if (const auto* array = document.as<Json::Array>()) {
    std::vector<JsonTemplate> elements;
    for (size_t k = 0; k < array->size(); ++k)
      elements.push_back(parse((*array)[k], names, fmt::format("{}[{}]", where, k)));
    out.node_ = std::move(elements);
  } else if (const auto* object = document.as<Json::Object>()) {
    Object members;
    for (const auto& [name, value] : *object)
      members.emplace_back(name, parse(value, names, where + "." + name));
    out.node_ = std::move(members);
  } else {
    out.node_ = document;
  }
  return out;
}

Json JsonTemplate::fill(const Scope& scope) const {
  if (const auto* text = std::get_if<Template>(&node_)) return text->fill_json(scope);
  if (const auto* elements = std::get_if<std::vector<JsonTemplate>>(&node_)) {
    Json::Array array;
    for (const JsonTemplate& element : *elements) array.push_back(element.fill(scope));
    return Json(Json::Value(std::move(array)));
  }
  if (const auto* members = std::get_if<Object>(&node_)) {
    Json::Object object;
    for (const auto& [name, value] : *members) object.emplace_back(name, value.fill(scope));
    return Json(Json::Value(std::move(object)));
  }
  return std::get<Json>(node_);
}

std::optional<KnobValue> unfilled(const Template::Sole& sole, const Json& json, const Space* space) {
  if (sole.filter == Filter::url || sole.filter == Filter::json_string) return std::nullopt;
  const auto* text = json.as<std::string>();
  if (text == nullptr) return json.knob();
  const Axis* axis = nullptr;
  if (space != nullptr)
    for (const Axis& a : space->axes())
      if (a.name == sole.name) axis = &a;
  if (axis != nullptr && std::holds_alternative<std::string>(axis->values.front())) return *text;
  std::string error;
  const auto read = Json::parse(*text, error);
  const auto value = read ? read->knob() : std::nullopt;
  return value ? value : KnobValue(*text);
}

}  // namespace mlq::tune
