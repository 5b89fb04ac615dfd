#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/add_ops.h>
#include <ATen/ops/ones_ops.h>
#include <torch/headeronly/version.h>

#include <chrono>

#include "ctorch.h"
#include "ctorch_internal.h"

namespace {

double measureAdd(intptr_t iterations, intptr_t elements, bool requiresGrad) {
  const std::vector<c10::SymInt> shape{c10::SymInt(static_cast<int64_t>(elements))};
  auto ones = [&] {
    return at::_ops::ones::call(shape, at::kFloat, std::nullopt, std::nullopt, std::nullopt);
  };
  at::Tensor left = ones(), right = ones();
  if (requiresGrad) left.set_requires_grad(true);
  const auto start = std::chrono::steady_clock::now();
  for (intptr_t i = 0; i < iterations; ++i) at::_ops::add_Tensor::call(left, right, 1);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count() / static_cast<double>(iterations);
}

}  // namespace

extern "C" {

const char* ct_version(void) { return TORCH_VERSION; }
void ct_set_thread_count(int count) { at::set_num_threads(count); }
int ct_thread_count(void) { return at::get_num_threads(); }
int ct_cuda_device_count(void) {
  try {
    return static_cast<int>(at::getNumGPUs());
  } catch (...) {
    return 0;
  }
}
bool ct_set_deterministic(bool enabled, bool warn_only) {
  CT_DO(at::globalContext().setDeterministicAlgorithms(enabled, warn_only))
}
double ct_measure_add(intptr_t iterations, intptr_t elements) { return measureAdd(iterations, elements, false); }
double ct_measure_add_grad(intptr_t iterations, intptr_t elements) { return measureAdd(iterations, elements, true); }
}
