// What all our uses of libcurl have in common: handles, options of the configuration, faults.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>

#include "lib/http/client.h"

namespace mlq::http {

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, CloseEasy>;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// curl_easy_setopt that throws: an environment Error names what this libcurl cannot do.
template <class T>
void set(CURL* easy, CURLoption option, T value);

// Starts the library; once a process, thread-safe.
void start_curl();
// A handle with everything that `config` says, and the defaults that all transfers share.
Easy make_easy(const ClientConfig& config);
// `headers` of the configuration, with `Expect` left out, in libcurl's form.
HeaderList make_headers(const ClientConfig& config);
// Method, address and body of a request. The body is not copied.
void arm(CURL* easy, const ClientConfig& config, const ClientRequest& request);

// Where libcurl writes what went wrong, in words; see CURLOPT_ERRORBUFFER.
using ErrorText = std::array<char, CURL_ERROR_SIZE>;

// What libcurl's result means for a transfer with `url`; `sent` tells whether any part of the request went
// out.
TransferEnd transfer_end(CURL* easy, CURLcode code, bool sent, const ErrorText& text, const Url& url);

void fail(CURLoption option, CURLcode code);

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code != CURLE_OK) fail(option, code);
}

}  // namespace mlq::http
