#include "lib/cli/generate.h"
#include "lib/cli/roff.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

std::string field_entry(const records::FieldInfo& field) {
  std::vector<std::string> facts{std::string(field.type)};
  if (!field.unit.empty()) facts.emplace_back(field.unit);
  facts.emplace_back(field.required ? "required" : "optional");
  return roff::tagged(roff::bold(field.name) + " (" + roff::prose(join(facts, ", ")) + ')', field.text);
}

std::string type_section(const records::TypeInfo& type) {
  std::string out = ".SS " + roff::code(type.type) + '\n' + roff::paragraphs(type.summary);
  for (const records::FieldInfo& field : type.fields) out += field_entry(field);
  return out;
}

}  // namespace

std::string records_page(const Program& program, const std::vector<records::TypeInfo>& types,
                         std::string_view prose) {
  return roff::filled(prose, program.version, [&](std::string_view name) {
    if (name != "RECORDS") throw input_error("the page has a line for @{}@; only @RECORDS@ is known", name);
    std::string out;
    for (const records::TypeInfo& type : types) out += type_section(type);
    return out;
  });
}

}  // namespace mlq::cli
