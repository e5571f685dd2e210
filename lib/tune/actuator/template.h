// Texts of an endpoint file with places to fill in:
//
//   ${knob} ${knob|filter}   a knob's value, or a document that a step has read
//   $VAR                     of the actuator's `vars`
//   @env:NAME @file:PATH     a secret; @file: takes the rest of the text
//   $$                       a dollar
//
// Filters: str (as text), int (as whole number, towards zero), json (as JSON text), json_string (JSON text as
// the content of a text), url (percent-encoded text).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tune/actuator/json.h"
#include "lib/tune/space/space.h"

namespace mlq::tune {

// Secrets that were revealed so far, so that no message shows one. Owned by one thread.
class Secrets {
 public:
  // `reveal` gets "@env:NAME" or "@file:PATH"; null: there are none to be had.
  explicit Secrets(std::function<std::string(const std::string&)> reveal) : reveal_(std::move(reveal)) {}
  // An input Error if it cannot be had.
  std::string reveal(const std::string& reference);
  // `text` with `***` in the place of every secret, also of one as JSON or in a URL.
  std::string hide(std::string text) const;

 private:
  std::function<std::string(const std::string&)> reveal_;
  std::map<std::string, std::string> known_;  // reference to secret
};

enum class Filter : uint8_t { none, str, integer, json, json_string, url };

// What templates are filled in from. With `show` they are for eyes: secrets are `***`.
struct Scope {
  const Config* config = nullptr;
  const std::map<std::string, Json>* documents = nullptr;  // may be null
  Secrets* secrets = nullptr;                              // may be null if `show`
  bool show = false;
};

// What a template may name, to check it when the file is read.
struct Names {
  const Space* space = nullptr;        // null: any knob
  bool places = true;                  // false: nothing that changes may be named
  std::vector<std::string> documents;  // read by the steps before
  std::map<std::string, std::string> vars;
};

// A value type.
class Template {
 public:
  // An input Error that begins with `where` and names what is wrong and what was likely meant.
  static Template parse(std::string_view text, const Names& names, const std::string& where);

  // As text. An input Error if a knob is not in the configuration, or a filter cannot take its value.
  std::string fill(const Scope& scope) const;
  // As a member of a JSON document: of a single place the value itself, with its type.
  Json fill_json(const Scope& scope) const;
  // The knob and filter, if the whole text is one knob's place.
  struct Sole {
    std::string name;
    Filter filter;
  };
  std::optional<Sole> sole() const;
  bool has_secret() const;
  // The text, if nothing is to be filled in.
  std::optional<std::string> constant() const;

 private:
  struct Piece {
    enum class Kind : uint8_t { text, place, secret } kind;
    std::string text;  // or name, or reference
    Filter filter = Filter::none;
  };
  static std::optional<Piece> place_of(std::string_view inside, const Names& names, const std::string& where);
  std::vector<Piece> pieces_;
};

// A JSON document whose texts are templates; names of members are taken as they are. A value type.
class JsonTemplate {
 public:
  static JsonTemplate parse(const Json& document, const Names& names, const std::string& where);
  Json fill(const Scope& scope) const;

 private:
  using Object = std::vector<std::pair<std::string, JsonTemplate>>;
  std::variant<Json, Template, std::vector<JsonTemplate>, Object> node_;
};

// The knob's value that a template of a single place would have made `text` or `json` from; none if it cannot
// be told. `space` (may be null) knows which type it has.
std::optional<KnobValue> unfilled(const Template::Sole& sole, const Json& json, const Space* space);

}  // namespace mlq::tune
