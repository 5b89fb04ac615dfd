#include "cuda_build.h"
#include "distributed_internal.h"
#if CT_HAS_CUDA
#include <nccl.h>
#endif
#if CT_HAS_CUDA && defined(NCCL_MAJOR)
#define USE_C10D_NCCL 1
#include <torch/csrc/cuda/nccl.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstdlib>
#include <mutex>
#include <set>

namespace {

#if CT_HAS_CUDA && defined(NCCL_MAJOR)
/// Part of ProcessGroupNCCL is as large as the header says; empty when it is as large as libtorch says.
std::string versionProblem() {
  const uint64_t built = torch::cuda::nccl::version();
  const auto major = built >> 32, minor = built >> 16 & 0xffff;
  if (major == NCCL_MAJOR && minor == NCCL_MINOR) return "";
  return c10::str(
      "the header nccl.h that this program was built with is of NCCL ", NCCL_MAJOR, ".", NCCL_MINOR,
      ", and libtorch was built with NCCL ", major, ".", minor);
}
#elif CT_HAS_CUDA
std::string versionProblem() { return "this program was built where there was no header nccl.h"; }
#else
std::string versionProblem() { return "libtorch is a build for CPUs"; }
#endif

const std::string& problem() {
  static const std::string text = versionProblem();
  return text;
}

/// The backends that are in use.
struct Live {
  std::mutex mutex;
  std::set<c10d::Backend*> backends;
  void abort() noexcept {
    std::lock_guard<std::mutex> guard(mutex);
    for (auto backend : backends) {
      try {
        backend->abort();
      } catch (...) {
        // It has failed already, and is only to end.
      }
    }
    backends.clear();
  }
};

Live& live() {
  // Lives on while threads end, and ends what is in use before libtorch does.
  static Live* const live = [] {
    std::atexit([] { ::live().abort(); });
    return new Live();
  }();
  return *live;
}

}  // namespace

namespace ct {

c10::intrusive_ptr<c10d::Backend> makeNCCL(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, std::chrono::milliseconds timeout,
    const std::string& name) {
  TORCH_CHECK(problem().empty(), "NCCL cannot be used: ", problem());
#if CT_HAS_CUDA && defined(NCCL_MAJOR)
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  options->group_name = name;
  c10::intrusive_ptr<c10d::Backend> backend =
      c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, std::move(options));
  auto& all = live();
  std::lock_guard<std::mutex> guard(all.mutex);
  all.backends.insert(backend.get());
  return backend;
#else
  return {};
#endif
}

void endNCCL(c10d::Backend& backend) noexcept {
  auto& all = live();
  {
    std::lock_guard<std::mutex> guard(all.mutex);
    if (all.backends.erase(&backend) == 0) return;
  }
  try {
    backend.abort();
  } catch (...) {
    // Nothing is expected of it any more.
  }
}

}  // namespace ct

extern "C" {
const char* ct_nccl_problem(void) { return problem().empty() ? nullptr : problem().c_str(); }
void ct_nccl_abort(void) { live().abort(); }
}
