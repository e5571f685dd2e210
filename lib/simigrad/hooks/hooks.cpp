#include "lib/simigrad/hooks/hooks.h"

#include <array>

#include "lib/base/error.h"

namespace mlq::simigrad {
namespace {

constexpr std::string_view kHead =
    R"py(# mlq-simigrad hook @VARIANT@: paste beside the training loop, or import. Needs torch and the mlq-simigrad program.
import ctypes, json, math, os, select, subprocess, time, warnings
import torch

DUMP_EVERY = @DUMP@  # steps between dumps of gradients for mlq-simigrad estimate; 0: none
DUMP_FOLDER = "grads"


class MlqAdvisor:
    """Talks to `mlq-simigrad follow`. Gone, slow or wrong, it never stops the training: the batch stays."""

    def __init__(self, command=None, fifos=None, timeout=1.0):
        # command: list of words, e.g. ["mlq-simigrad", "follow", "--target", "0.2", "--state", "run.state"];
        # fifos: (to, from) of a follow that runs with --in to --out from.
        self.timeout, self.rest, self.child = timeout, b"", None
        if fifos:
            self.to = os.open(fifos[0], os.O_WRONLY)
            self.back = os.open(fifos[1], os.O_RDONLY)
        else:
            self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.to, self.back = self.child.stdin.fileno(), self.child.stdout.fileno()

    def ask(self, request):
        """The reply to a request, or None."""
        if self.to is None:
            return None
        try:
            os.write(self.to, (json.dumps(request, allow_nan=False) + "\n").encode())
            deadline = time.monotonic() + self.timeout
            while True:
                line, found, rest = self.rest.partition(b"\n")
                if found:
                    self.rest = rest
                    reply = json.loads(line)
                    if reply["type"] == "simigrad_fault":
                        warnings.warn("mlq-simigrad: " + reply["message"])
                    # A late reply to an earlier step is dropped.
                    same = request["type"] == "hello" or reply.get("step") == request["step"]
                    if reply["type"] != "run" and same:
                        return reply
                    continue
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([self.back], [], [], left)[0]:
                    return None
                more = os.read(self.back, 65536)
                if not more:
                    raise OSError("it has ended")
                self.rest += more
        except (OSError, ValueError, KeyError) as error:
            warnings.warn(f"mlq-simigrad: {error}; the batch stays as it is")
            self.to = None
            return None


def number(x):
    """A float that JSON has, or None."""
    x = None if x is None else float(x)
    return x if x is None or math.isfinite(x) else None


def dump(tensors, step, incarnation, group, groups, samples):
    """One group's gradients as safetensors, under a name that appears when the file is whole."""
    kinds = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64"}
    facts = {"step": step, "incarnation": incarnation, "group": group, "groups": groups, "samples": samples}
    header, parts, at = {"__metadata__": {"mlq." + key: str(value) for key, value in facts.items()}}, [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        parts.append(tensor)
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder = f"{DUMP_FOLDER}/step{step}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/.group{group}.part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in parts:
            file.write(ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()))
    os.replace(f"{folder}/.group{group}.part", f"{folder}/group{group}.safetensors")

)py";

constexpr std::string_view kTorch = R"py(
class MlqSimigrad:
    """Two halves of a step. Losses are means over their micro-batch, divided by the number of micro-batches.

    mlq = MlqSimigrad(model, MlqAdvisor(["mlq-simigrad", "follow", "--target", "0.2"]), batch=64, micro=8)
    for each step: micro-batches of mlq.batch // micro in all, mlq.mid() after the first half of them,
    scale = mlq.end(loss, lr), learning rate times scale for this step only, optimizer.step()
    """

    def __init__(self, model, advisor, batch, micro, step=0, incarnation=0):
        self.names, self.params = zip(*[(n, p) for n, p in model.named_parameters() if p.requires_grad])
        self.advisor, self.step, self.incarnation = advisor, step, incarnation
        self.batch, self.lr_scale, self.first = batch, 1.0, None
        hello = {"type": "hello", "protocol": 1, "world": 1, "micro_samples": micro, "batch_samples": batch,
                 "incarnation": incarnation}
        if step > 0:
            hello["resume_step"] = step - 1
        self.take(advisor.ask(hello))

    def take(self, reply):
        if reply and reply.get("batch_samples"):
            self.batch, self.lr_scale = reply["batch_samples"], reply.get("lr_scale", self.lr_scale)

    def mid(self, samples=None):
        """After half of the micro-batches; samples: how many they were, if not half of the batch."""
        self.half = samples or self.batch // 2
        self.first = [None if p.grad is None else p.grad.detach().clone() for p in self.params]

    def end(self, loss=None, lr=None, samples=None):
        """Before optimizer.step(); the multiplier of this step's learning rate. .batch is for the next step."""
        scale, n, sums = self.lr_scale, samples or self.batch, [0.0, 0.0, 0.0]
        if self.first is not None:
            n1, n2 = self.half, n - self.half
            halves = ({}, {}) if DUMP_EVERY and self.step % DUMP_EVERY == 0 else None
            for name, p, first in zip(self.names, self.params, self.first):
                if p.grad is None:
                    continue
                # The gradient is the mean over all samples, what there was at mid() its first part.
                g1 = torch.zeros_like(p.grad) if first is None else first
                g2 = p.grad.detach() - g1
                if halves:
                    halves[0][name], halves[1][name] = g1 * (n / n1), g2 * (n / n2)
                for a, b in zip(g1.flatten().split(1 << 20), g2.flatten().split(1 << 20)):
                    a, b = a.double() * (n / n1), b.double() * (n / n2)
                    sums[0] += torch.dot(a, a).item()
                    sums[1] += torch.dot(a, b).item()
                    sums[2] += torch.dot(b, b).item()
            for group, tensors in enumerate(halves or ()):
                dump(tensors, self.step, self.incarnation, group, 2, (n1, n2)[group])
            request = {"type": "gram", "step": self.step, "batch_samples": n, "groups": 2, "source": "hook",
                       "incarnation": self.incarnation}
            if n1 != n2:
                request["group_samples"] = [n1, n2]
            good = all(math.isfinite(x) for x in sums)
            request.update({"gram": sums} if good else {"gram": None, "nonfinite": 1})
            request.update({"loss": number(loss), "lr": number(lr)})
            self.take(self.advisor.ask(request))
        self.first, self.step = None, self.step + 1
        return scale
)py";

constexpr std::string_view kDdp = R"py(
import torch.distributed as dist


class MlqSimigrad:
    """The ranks of DistributedDataParallel are the groups; one number more is reduced a step.

    advisor = MlqAdvisor(["mlq-simigrad", "follow", "--target", "0.2"]) if dist.get_rank() == 0 else None
    mlq = MlqSimigrad(ddp_model, advisor, batch=512, micro=8)
    for each step: mlq.batch // (world * micro) micro-batches on each rank, all but the last under no_sync();
    scale = mlq.end(loss, lr), learning rate times scale for this step only, optimizer.step()
    """

    def __init__(self, ddp_model, advisor, batch, micro, step=0, incarnation=0):
        self.world, self.advisor, self.step, self.incarnation = dist.get_world_size(), advisor, step, incarnation
        self.batch, self.lr_scale = batch, 1.0
        self.device = next(ddp_model.parameters()).device
        self.names = {id(p): n for n, p in ddp_model.module.named_parameters()}
        self.clear()
        ddp_model.register_comm_hook(None, self.reduce)
        hello = {"type": "hello", "protocol": 1, "world": self.world, "micro_samples": micro, "batch_samples": batch,
                 "incarnation": incarnation}
        if step > 0:
            hello["resume_step"] = step - 1
        self.share(hello)

    def dumps(self):
        return DUMP_EVERY and self.step % DUMP_EVERY == 0

    def clear(self):
        self.saved = {}
        self.own = torch.zeros((), dtype=torch.float64, device=self.device)
        self.mean = torch.zeros((), dtype=torch.float64, device=self.device)

    def reduce(self, _, bucket):
        buffer = bucket.buffer()
        if self.dumps():
            for p, gradient in zip(bucket.parameters(), bucket.gradients()):
                self.saved[self.names[id(p)]] = gradient.detach().clone()
        self.own += torch.linalg.vector_norm(buffer, dtype=torch.float64) ** 2
        reduced = dist.all_reduce(buffer.div_(self.world), async_op=True).get_future()

        def done(future):
            mean = future.value()[0]
            self.mean += torch.linalg.vector_norm(mean, dtype=torch.float64) ** 2
            return mean

        return reduced.then(done)

    def share(self, request):
        """Rank 0 asks, all ranks learn batch and lr_scale."""
        reply = self.advisor.ask(request) if self.advisor else None
        if reply and reply.get("batch_samples"):
            self.batch, self.lr_scale = reply["batch_samples"], reply.get("lr_scale", self.lr_scale)
        both = torch.tensor([self.batch, self.lr_scale], dtype=torch.float64, device=self.device)
        dist.broadcast(both, 0)
        self.batch, self.lr_scale = int(both[0].item()), both[1].item()

    def end(self, loss=None, lr=None):
        """After the last backward(), before optimizer.step(); the multiplier of this step's learning rate."""
        scale = self.lr_scale
        if self.dumps():
            dump(self.saved, self.step, self.incarnation, dist.get_rank(), self.world, self.batch // self.world)
        dist.all_reduce(self.own)
        norm_sq_sum, mean_norm_sq = self.own.item(), self.mean.item()
        request = {"type": "gram", "step": self.step, "batch_samples": self.batch, "groups": self.world,
                   "norm_sq_sum": number(norm_sq_sum), "mean_norm_sq": number(mean_norm_sq), "source": "hook",
                   "incarnation": self.incarnation}
        request.update({"loss": number(loss), "lr": number(lr)})
        self.share(request)
        self.clear()
        self.step += 1
        return scale
)py";

constexpr std::array<std::string_view, 2> kVariants = {"torch", "ddp"};

}  // namespace

std::span<const std::string_view> hook_variants() { return kVariants; }

std::string hook_text(std::string_view variant, uint64_t dump_every) {
  if (variant != "torch" && variant != "ddp") throw usage_error("\"{}\" is none of torch, ddp", variant);
  std::string text(kHead);
  const auto fill = [&text](std::string_view place, std::string_view value) {
    text.replace(text.find(place), place.size(), value);
  };
  fill("@VARIANT@", variant);
  fill("@DUMP@", fmt::format("{}", dump_every));
  text += variant == "torch" ? kTorch : kDdp;
  return text;
}

}  // namespace mlq::simigrad
