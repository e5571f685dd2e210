// What stands at the connections of one reactor: reads requests, parses them, hands them to their models and
// writes the answers. A server with several reactors has a front on each; models are on the first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/http/client_pool.h"
#include "lib/http/server.h"
#include "lib/serve/gateway/call.h"
#include "lib/serve/gateway/request_id.h"
#include "lib/serve/gateway/route.h"

namespace mlq::serve {

// What a front asks of the server; any of it may be called from the front's thread.
class FrontHost {
 public:
  virtual ~FrontHost() = default;
  virtual bool draining() const = 0;  // readiness says no
  virtual bool closed() const = 0;    // and what comes is refused
  // The call goes to its model. False: too many are on their way (503 queue_full).
  virtual bool submit(const std::string& model, std::unique_ptr<Call> call) = 0;
  virtual void gone(const std::string& model, uint64_t token) = 0;
  virtual void sent(const std::string& model, uint64_t token, int64_t now_ns) = 0;
  virtual void ask_metadata(uint32_t front, const std::string& model, const std::string& version,
                            uint64_t token) = 0;
  virtual const RequestIds& request_ids() const = 0;
  virtual std::string_view version() const = 0;
};

class Front {
 public:
  Front(FrontHost& host, http::Reactor& reactor, uint32_t number)
      : host_(host), reactor_(reactor), number_(number) {}

  void handle(http::Request& request, const http::Reply& reply);
  // On the front's thread.
  void answer(uint64_t token, const Answer& answer);
  void publish(std::shared_ptr<const ModelFace> face);
  void withdraw(const std::string& model);
  size_t waiting() const { return waiting_.size(); }
  http::Reactor& reactor() { return reactor_; }

 private:
  struct Waiting {
    http::Reply reply;
    std::string model;
  };
  void server_route(const Route& route, const http::Reply& reply);
  void infer(http::Request& request, const http::Reply& reply, const ModelFace& face,
             std::string_view version);
  void relay(http::Request& request, const http::Reply& reply, const ModelFace& face);
  bool accept(const http::Request& request, const http::Reply& reply, const ModelFace& face);
  const ModelFace* face_of(std::string_view model) const;
  const ModelFace* plain_at(std::string_view path) const;
  const ModelFace* relay_at(std::string_view path) const;
  http::ClientPool& relay_pool(const std::string& url);
  uint64_t next_token() { return (uint64_t{number_} << 56) | next_++; }

  FrontHost& host_;
  http::Reactor& reactor_;
  const uint32_t number_;
  uint64_t next_ = 1;
  std::map<std::string, std::shared_ptr<const ModelFace>, std::less<>> faces_;
  std::unordered_map<uint64_t, Waiting> waiting_;
  std::map<std::string, std::unique_ptr<http::ClientPool>> relay_pools_;
  uint64_t relays_ = 0;
};

}  // namespace mlq::serve
