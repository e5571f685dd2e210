// URLs: refused, or an origin and a target that read back to the same; what is shown hides what is secret.
#include "lib/http/url.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  fuzz::accepted([&] {
    const http::Url url = http::parse_url(fuzz::text_of(data, size));
    const bool socket = !url.unix_path.empty();
    MLQ_FUZZ_CLAIM(socket || url.target.starts_with('/'));
    MLQ_FUZZ_CLAIM(url.scheme == "http" || url.scheme == "https");
    MLQ_FUZZ_CLAIM(!url.host.empty());
    MLQ_FUZZ_CLAIM(url.redacted().find('#') == std::string::npos || socket);
    const http::Url again =
        http::parse_url(socket ? "unix:" + url.unix_path + ":" + url.target : url.origin() + url.target);
    MLQ_FUZZ_CLAIM(again.scheme == url.scheme && again.host == url.host && again.port == url.port);
    MLQ_FUZZ_CLAIM(again.target == url.target && again.unix_path == url.unix_path);
    MLQ_FUZZ_CLAIM(again.origin() == url.origin());
    MLQ_FUZZ_CLAIM(again.user.empty() && again.password.empty());
  });
  return 0;
}
