// The accounts of all classes of a run, or of one window of it.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "lib/replay/account.h"

namespace mlq::replay {

// How the account of all requests is called in records.
constexpr std::string_view kAll = "*";

// A value type; not thread-safe. Every request counts under "*", and under its class if it has one.
class Accounts {
 public:
  // So many classes are kept apart: those that come first. The others count under "*" only, and dropped()
  // says so; which ones they are then depends on the order.
  static constexpr size_t kMostClasses = 1024;
  using Classes = std::map<std::string, Account, std::less<>>;

  // As Account::add; the class is result.klass.
  void add(const records::Result& result, std::span<const uint64_t> gaps);
  void merge(const Accounts& other);

  const Account& all() const { return all_; }
  const Classes& classes() const { return classes_; }
  bool dropped() const { return dropped_; }
  // The account of "*" or of a class, made if it is not there yet; null beyond kMostClasses.
  Account* account(std::string_view klass);
  // Null if there is none.
  const Account* find(std::string_view klass) const;

  // Calls visit(klass, account): "*" first, then the classes by name.
  template <class Visit>
  void for_each(Visit&& visit) const {
    visit(kAll, all_);
    for (const auto& [klass, account] : classes_) visit(std::string_view(klass), account);
  }

 private:
  Account all_;
  Classes classes_;
  bool dropped_ = false;
};

}  // namespace mlq::replay
