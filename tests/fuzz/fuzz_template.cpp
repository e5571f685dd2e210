// Templates: a line for the API, one of what the server says, one for the arrival. Refused, or a body that is
// JSON and comes out the same again.
#include <algorithm>

#include "lib/jsonl/object.h"
#include "lib/records/codec.h"
#include "lib/replay/template.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// As accepted(); what a server says may be no metadata, which is an error of the environment.
template <class Work>
bool accepted_of_server(Work&& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() != ExitKind::bug);
    return false;
  }
}

replay::TemplateOptions options_of(std::string_view line) {
  constexpr std::string_view kTargets[] = {"/", "/v1/chat/completions", "/v1/completions",
                                           "/v2/models/m/infer", "/v1/models/m:predict"};
  replay::TemplateOptions options;
  const unsigned kind = line.empty() ? 0 : static_cast<unsigned char>(line.front());
  options.target = kTargets[kind % 5];
  options.prompt_ids = kind % 5 == 2 && line.size() % 2 == 1;
  options.prefix_block_tokens = 1 + static_cast<uint32_t>(line.size());
  if (kind % 5 >= 3 && line.size() > 2) options.dims = {{"x", line.size()}};
  return options;
}

// Large prompts and batches are for the tests; here they only take time.
void shrink(records::Arrival& arrival) {
  if (arrival.input_tokens) *arrival.input_tokens %= 2'000;
  if (arrival.rows) *arrival.rows %= 20;
  if (arrival.size_bytes) *arrival.size_bytes %= 5'000;
}

// Sizes that multiply to few elements; digits behind a letter are part of a datatype's name.
bool is_small(std::string_view page) {
  uint64_t product = 1;
  for (size_t at = 0; at < page.size();) {
    const size_t begin = page.find_first_of("0123456789", at);
    if (begin == page.npos) break;
    at = std::min(page.find_first_not_of("0123456789", begin), page.size());
    const bool in_word = begin > 0 && page[begin - 1] >= 'A';
    if (in_word) continue;
    if (at - begin > 4) return false;
    product *= std::max(1, std::stoi(std::string(page.substr(begin, at - begin))));
    if (product > 20'000) return false;
  }
  return page.size() < 2'000;
}

void render(const replay::Template& form, const records::Arrival& arrival, uint64_t i) {
  jsonl::Buffer body, again;
  const replay::RequestLine line = form.render(arrival, i, body);
  form.render(arrival, i, again);
  MLQ_FUZZ_CLAIM(body.view() == again.view());
  MLQ_FUZZ_CLAIM(!line.method.empty() && line.target.starts_with('/'));
  MLQ_FUZZ_CLAIM(line.target.find_first_of(" \r\n") == line.target.npos);
  if (form.api() == "raw" || arrival.body) return;
  jsonl::OwnedObject json(body.view());
  MLQ_FUZZ_CLAIM(json.ok());
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::fuzz;
  std::string_view text = text_of(data, size);
  const replay::TemplateOptions options = options_of(take_line(text));
  const std::string page(take_line(text));
  jsonl::OwnedObject object(take_line(text));
  records::Arrival arrival;
  if (!is_small(page) || !object.ok() || !records::read_record(object.parser().members(), arrival).ok)
    return 0;
  shrink(arrival);
  const auto form = replay::make_template(options);
  if (!accepted_of_server([&] { form->prepare([&](const auto&) { return replay::Fetched{200, page}; }); }))
    return 0;
  accepted([&] { render(*form, arrival, size); });
  return 0;
}
