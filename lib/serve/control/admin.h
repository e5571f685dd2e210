// The admin interface of a program with models: facts, knobs and what the program adds. For its own listener;
// see serve's specification of who may reach it below.
//
//   GET          /metrics
//   GET          /admin/v1/version, /admin/v1/models, /admin/v1/models/M
//   GET, PATCH   /admin/v1/models/M/knobs          [?dry=1] [If-Match: "GEN"]
//   GET          /admin/v1/models/M/knobs/schema
//
// Guard: with a token, `Authorization: Bearer TOKEN` is asked of every request (401). Without one, the Host
// must be a loopback name or literal, so that a page whose name was re-bound to this address gets nothing
// (421). Every write needs the Content-Type application/json or application/merge-patch+json, which a page of
// another origin cannot send without being asked first (415).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/server.h"
#include "lib/jsonl/buffer.h"
#include "lib/serve/control/knobs.h"

namespace mlq::serve {

// A model as its operator sees it. All calls from the admin server's thread.
class AdminModel {
 public:
  virtual ~AdminModel() = default;
  virtual std::string_view name() const = 0;
  virtual const KnobRows& knobs() const = 0;
  virtual std::vector<KnobValue> knob_values() const = 0;
  virtual uint64_t gen() const = 0;
  virtual int64_t settle_ns() const = 0;
  // New values, already checked, that differ from the present ones: applied when this returns, under the next
  // generation. An environment Error says that they could not be kept (507), and changes nothing.
  virtual void apply(const std::vector<KnobValue>& values, std::string_view by) = 0;
  // Members of the object that describes the model, behind "model" and "gen": `,"queue":...`.
  virtual void describe(jsonl::Buffer& out) const = 0;
};

struct AdminAnswer {
  int status = 200;
  std::string body;     // JSON
  std::string headers;  // further header lines, each with its CR LF
};
AdminAnswer admin_error(int status, std::string_view message);

struct AdminOptions {
  std::string program, version;
  std::string token;         // empty: none is asked
  bool unix_socket = false;  // the file's permissions are the guard: any Host will do
};

class Admin {
 public:
  struct Hooks {
    std::function<std::vector<AdminModel*>()> models;
    std::function<std::string()> metrics;
    // Whatever is not in the list above, behind the guard. False: not known either (404).
    std::function<bool(const http::Request&, const std::string& path, const http::Reply&)> more;
  };
  Admin(AdminOptions options, Hooks hooks);

  void handle(const http::Request& request, const http::Reply& reply) const;
  static void send(const http::Reply& reply, const AdminAnswer& answer);

 private:
  bool refused(const http::Request& request, const http::Reply& reply) const;
  AdminAnswer model_route(const http::Request& request, std::string_view rest, std::string_view query) const;
  AdminAnswer knobs_route(const http::Request& request, AdminModel& model, std::string_view query) const;
  AdminModel* find(std::string_view name) const;

  AdminOptions options_;
  Hooks hooks_;
};

// Whether the Host of a request is a loopback name or literal: localhost, 127.x.y.z, [::1], with any port.
bool is_loopback_host(std::string_view host);

// The token in a file: its first line. An input Error if the file may be read by others, or is empty.
std::string read_token_file(const std::string& path);

}  // namespace mlq::serve
