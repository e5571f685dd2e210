// An endpoint over HTTP that can be told to misbehave, and a clock that makes waiting short.
#pragma once

#include <atomic>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/tune/actuator/json.h"
#include "tests/http/running_server.h"

namespace mlq::tune::test {

// Runs fifty times as fast as the machine's.
class FastClock final : public Clock {
 public:
  int64_t now_ns() const override { return clock_.now_ns() * 50; }

 private:
  SteadyClock clock_;
};

// What a write is answered with.
enum class Misdeed { none, error, hang, lie, half, redirect, refuse, reset, foreign };

// Keeps a JSON object of knobs.
//   GET /config, PUT /config          the knobs, whole
//   GET, PATCH /admin/v1/models/m/knobs   as mlq's own programs, with generations
//   POST /reload                      reads the knobs from `file`
//   GET /ready                        503 until `ready_after` requests for it have come
class FakeEndpoint {
 public:
  explicit FakeEndpoint(const std::string& knobs)
      : knobs_(knobs),
        server_([this](http::Request& request, const http::Reply& reply) { answer(request, reply); }) {}

  std::string url(const std::string& target = "") { return server_->url() + target; }
  // The next `times` writes come to grief.
  void misbehave(Misdeed misdeed, int times = 1'000'000) {
    const std::scoped_lock lock(mutex_);
    misdeed_ = misdeed;
    times_ = times;
  }
  void behave() { misbehave(Misdeed::none); }
  std::string knobs() {
    const std::scoped_lock lock(mutex_);
    return knobs_;
  }
  void set_knobs(const std::string& knobs) {  // by somebody else
    const std::scoped_lock lock(mutex_);
    knobs_ = knobs;
    ++gen_;
  }
  void read_from(const std::string& file) {
    const std::scoped_lock lock(mutex_);
    file_ = file;
  }
  void ready_after(int asked) { ready_after_ = asked; }
  int writes() const { return writes_; }
  std::vector<std::string> seen(const std::string& header) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, value] : seen_)
      if (name == header) out.push_back(value);
    return out;
  }

 private:
  std::string state() const {
    return R"({"model":"m","gen":)" + std::to_string(gen_) + R"(,"knobs":)" + knobs_ + "}";
  }

  // True if that was all.
  bool misdeed(const http::Reply& reply) {
    if (misdeed_ == Misdeed::none || times_ == 0) return false;
    --times_;
    const auto raw = [&](std::string text) {
      reply.send_raw([text = std::move(text), sent = false](char* out, size_t room) mutable -> size_t {
        if (std::exchange(sent, true)) return 0;
        return text.copy(out, room);
      });
    };
    switch (misdeed_) {
      case Misdeed::error:
        reply.send({500, "text/plain", {}, "out of order"});
        return true;
      case Misdeed::hang:
        held_.push_back(reply);
        return true;
      case Misdeed::half:
        raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"mod");
        return true;
      case Misdeed::redirect:
        reply.send({307, {}, "Location: /elsewhere\r\n", {}});
        return true;
      case Misdeed::refuse:
        reply.send({422, "application/json", {}, R"({"error":"no such value"})"});
        return true;
      case Misdeed::reset:
        reply.reset();
        return true;
      case Misdeed::foreign:
        ++gen_;
        return false;
      default:
        return false;
    }
  }
  bool lies() const { return misdeed_ == Misdeed::lie; }

  void answer(http::Request& request, const http::Reply& reply) {
    const std::scoped_lock lock(mutex_);
    for (const http::Header& header : request.headers) seen_.emplace_back(header.name, header.value);
    const std::string target(request.target.substr(0, request.target.find('?')));
    if (target == "/ready") return reply.send({++asked_ > ready_after_ ? 200 : 503});
    if (request.method != "GET") {
      ++writes_;
      if (misdeed(reply)) return;
    }
    if (target == "/config") {
      if (request.method == "PUT" && !lies()) knobs_ = request.body;
      return reply.send({200, "application/json", {}, knobs_});
    }
    if (target == "/reload") {
      std::stringstream text;
      text << std::ifstream(file_).rdbuf();
      if (!lies()) knobs_ = text.str();
      return reply.send({200, "application/json", {}, knobs_});
    }
    if (target == "/admin/v1/models")
      return reply.send({200, "application/json", {}, R"({"models":[{"model":"m"},{"model":"n"}]})"});
    if (target == "/admin/v1/models/m/knobs") return knob_route(request, reply);
    reply.send({404, "text/plain", {}, "nothing here"});
  }

  void knob_route(const http::Request& request, const http::Reply& reply) {
    if (request.method == "PATCH") {
      if (request.header("if-match") != "\"" + std::to_string(gen_) + "\"")
        return reply.send({412, "application/json", {}, R"({"error":"another generation"})"});
      std::string error;
      Json knobs = *Json::parse(knobs_, error);
      const auto patch = Json::parse(request.body, error);
      for (const auto& [name, value] : *patch->as<Json::Object>()) knobs.set({name}, value);
      if (!lies()) knobs_ = knobs.text();
      ++gen_;
    }
    const std::string etag = "ETag: \"" + std::to_string(gen_) + "\"\r\n";
    reply.send({200, "application/json", etag, state()});
  }

  std::mutex mutex_;
  std::string knobs_;
  std::string file_;
  uint64_t gen_ = 1;
  Misdeed misdeed_ = Misdeed::none;
  int times_ = 0;
  int asked_ = 0;
  std::atomic<int> ready_after_{0};
  std::atomic<int> writes_{0};
  std::vector<std::pair<std::string, std::string>> seen_;
  std::vector<http::Reply> held_;
  mlq::test::RunningServer server_;
};

}  // namespace mlq::tune::test
