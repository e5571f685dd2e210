// The fibres behind the emulated CUDA. For x86-64 alone: ucontext makes a system call a switch, and there are
// millions of them.
#include <cstdio>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"

// Keeps the registers that a function must keep on this stack, and goes on with the other one.
asm(R"(
.text
emulation_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");
extern "C" void emulation_switch(void** save, void* load);

namespace emulation {
namespace {

constexpr size_t kStack = 128 * 1024, kSavedRegisters = 6;
constexpr unsigned kLanes = 32;

struct Thread {
  std::unique_ptr<uint64_t[]> stack = std::make_unique<uint64_t[]>(kStack / sizeof(uint64_t));
  void* at = nullptr;
  bool done = false;
  uint64_t exchanges = 0, barriers = 0;  // how many it has come to
};

struct Cta {
  std::vector<Thread> threads;
  // What the lanes give in one exchange; a lane can be one exchange ahead of another, never two.
  std::vector<uint64_t> given[2];
  std::vector<uint64_t> exchanges;  // of all lanes, by warp
  uint64_t barriers = 0;            // of all threads
  void* scheduler = nullptr;
  unsigned current = 0;
  bool moved = false;  // whether any thread got on in this round
  const std::function<void()>* body = nullptr;
};

Cta cta;

void leave() { emulation_switch(&cta.threads[cta.current].at, cta.scheduler); }

[[noreturn]] void start() {
  (*cta.body)();
  cta.threads[cta.current].done = true;
  cta.moved = true;
  leave();
  std::abort();
}

// A stack on which `ret` goes to start(), aligned as after a call.
void prepare(Thread& thread) {
  uint64_t* top = thread.stack.get() + kStack / sizeof(uint64_t);
  top -= reinterpret_cast<uintptr_t>(top) / sizeof(uint64_t) % 2;
  *--top = 0;
  *--top = reinterpret_cast<uint64_t>(&start);
  for (size_t i = 0; i < kSavedRegisters; ++i) *--top = 0;
  thread.at = top;
  thread.done = false;
  thread.exchanges = thread.barriers = 0;
}

// `arrived` counts all that come to it; the number'th time is complete with this many.
void wait_for(const uint64_t& arrived, uint64_t complete) {
  cta.moved = true;
  while (arrived < complete) leave();
  cta.moved = true;
}

void run_cta() {
  for (Thread& thread : cta.threads) prepare(thread);
  cta.exchanges.assign(cta.threads.size() / kLanes, 0);
  cta.barriers = 0;
  for (bool left = true; left;) {
    left = false;
    cta.moved = false;
    for (unsigned i = 0; i < cta.threads.size(); ++i) {
      if (cta.threads[i].done) continue;
      left = true;
      cta.current = i;
      threadIdx.x = i;
      emulation_switch(&cta.scheduler, cta.threads[i].at);
    }
    if (left && !cta.moved) fail("not all threads reach a shuffle or a barrier");
  }
}

}  // namespace

void fail(const char* what) {
  std::fprintf(stderr, "emulated CUDA: CTA %u, thread %u: %s\n", blockIdx.x, threadIdx.x, what);
  std::abort();
}

const uint64_t* exchange(unsigned mask, uint64_t value) {
  if (mask != 0xffffffffu) fail("a shuffle must name all lanes");
  const unsigned self = cta.current, warp = self / kLanes;
  const uint64_t number = ++cta.threads[self].exchanges;
  std::vector<uint64_t>& given = cta.given[number & 1];
  given[self] = value;
  ++cta.exchanges[warp];
  wait_for(cta.exchanges[warp], number * kLanes);
  return given.data() + warp * kLanes;
}

void barrier() {
  const uint64_t number = ++cta.threads[cta.current].barriers;
  ++cta.barriers;
  wait_for(cta.barriers, number * cta.threads.size());
}

void run(unsigned ctas, unsigned threads, const std::function<void()>& body) {
  static std::mutex one_at_a_time;  // there is one threadIdx
  const std::lock_guard lock(one_at_a_time);
  if (threads == 0 || threads % kLanes != 0) fail("a CTA is whole warps");
  if (cta.threads.size() != threads) {
    cta.threads = std::vector<Thread>(threads);
    for (auto& given : cta.given) given.assign(threads, 0);
  }
  cta.body = &body;
  gridDim = {ctas, 1, 1};
  blockDim = {threads, 1, 1};
  for (unsigned i = 0; i < ctas; ++i) {
    blockIdx.x = i;
    run_cta();
  }
}

}  // namespace emulation
