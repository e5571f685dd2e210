#include "lib/replay/accounts.h"

namespace mlq::replay {

Account* Accounts::account(std::string_view klass) {
  if (klass == kAll) return &all_;
  const auto at = classes_.find(klass);
  if (at != classes_.end()) return &at->second;
  if (classes_.size() >= kMostClasses) {
    dropped_ = true;
    return nullptr;
  }
  return &classes_[std::string(klass)];
}

const Account* Accounts::find(std::string_view klass) const {
  if (klass == kAll) return &all_;
  const auto at = classes_.find(klass);
  return at == classes_.end() ? nullptr : &at->second;
}

void Accounts::add(const records::Result& result, std::span<const uint64_t> gaps) {
  all_.add(result, gaps);
  if (!result.klass || *result.klass == kAll) return;
  if (Account* const account = this->account(*result.klass)) account->add(result, gaps);
}

void Accounts::merge(const Accounts& other) {
  all_.merge(other.all_);
  for (const auto& [klass, theirs] : other.classes_) {
    if (Account* const account = this->account(klass)) account->merge(theirs);
  }
  dropped_ = dropped_ || other.dropped_;
}

}  // namespace mlq::replay
