// A template: refused, or filled in; for eyes never with a secret in it, and a single place keeps its type.
#include "lib/tune/actuator/template.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::tune;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  Names names;
  names.vars = {{"BASE", "http://h"}, {"TOKEN", "@env:T"}};
  names.documents = {"cfg"};
  const Config config = {{"rows", int64_t{64}}, {"rate", 0.5}, {"mode", std::string("a\"b")}};
  const std::map<std::string, Json> documents = {{"cfg", Json(Json::Value(Json::Object{{"x", Json()}}))}};
  fuzz::accepted([&] {
    const Template t = Template::parse(text, names, "fuzz");
    const std::string shown = t.fill({&config, nullptr, nullptr, true});
    MLQ_FUZZ_CLAIM(shown.find("\x01secret\x01") == shown.npos);
    MLQ_FUZZ_CLAIM(!t.constant() || *t.constant() == shown);
    Secrets secrets([](const std::string&) { return std::string("\x01secret\x01"); });
    const Scope scope{&config, &documents, &secrets, false};
    const std::string filled = t.fill(scope);
    MLQ_FUZZ_CLAIM(t.has_secret() == (filled.find("\x01secret\x01") != filled.npos));
    MLQ_FUZZ_CLAIM(secrets.hide(filled).find("\x01secret\x01") == std::string::npos);
    const Json json = t.fill_json(scope);
    MLQ_FUZZ_CLAIM(t.sole().has_value() || *json.as<std::string>() == filled);
  });
  return 0;
}
