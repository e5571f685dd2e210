// The templates behind make_template(), one an API, and what they share.
#pragma once

#include <memory>
#include <string_view>

#include "lib/replay/template.h"

namespace mlq::replay {

std::unique_ptr<Template> make_raw(const TemplateOptions& options);
std::unique_ptr<Template> make_openai(const TemplateOptions& options, bool chat);
std::unique_ptr<Template> make_kserve(const TemplateOptions& options);
std::unique_ptr<Template> make_tf(const TemplateOptions& options);

// The path of a target, without its query.
std::string_view path_of(std::string_view target);
// The body that the arrival, else the options, give as it is; false if neither does.
bool append_given(const TemplateOptions& options, const records::Arrival& arrival, uint64_t i,
                  jsonl::Buffer& body);
bool has_given(const TemplateOptions& options);
// A JSON string; an input Error if `text` is no UTF-8.
void append_text(std::string_view text, uint64_t i, jsonl::Buffer& body);
AnswerRules rules_of(const TemplateOptions& options, std::string_view member, bool tokens);
// The body of a GET that must succeed; an environment Error that says `hint` if it does not.
std::string fetch(const Fetch& get, const std::string& target, std::string_view hint);

}  // namespace mlq::replay
