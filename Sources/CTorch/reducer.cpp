#include <torch/csrc/distributed/c10d/logger.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "distributed_internal.h"

struct ct_reducer_s {
  std::shared_ptr<c10d::Reducer> reducer;
  // The reducer reports to it through a weak pointer.
  std::shared_ptr<c10d::Logger> logger;
};

namespace {

std::shared_ptr<c10d::Reducer> makeReducer(
    std::vector<at::Tensor> parameters, std::vector<std::vector<size_t>> buckets,
    const c10::intrusive_ptr<c10d::ProcessGroup>& group, std::unordered_map<size_t, std::string> names,
    const ct_reducer_options& options) {
  const std::vector<bool> sparse(parameters.size(), false);
  return std::make_shared<c10d::Reducer>(
      std::move(parameters), std::move(buckets), group, sparse, options.bucket_bytes, options.find_unused_parameters,
      options.gradient_as_bucket_view, std::move(names), options.first_bucket_bytes,
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, /*bucket_bytes_cap_list=*/
      std::vector<int64_t>{});
}

}  // namespace

extern "C" {

ct_reducer ct_reducer_create(
    ct_group group, const ct_tensor* parameters, const char* const* names, intptr_t count,
    ct_reducer_options options) {
  try {
    auto tensors = ct::vector(parameters, count);
    c10d::verify_params_across_processes(group->group, tensors, std::nullopt);
    const std::vector<bool> sparse(tensors.size(), false);
    auto [assigned, limits] = c10d::compute_bucket_assignment_by_size(
        tensors,
        {static_cast<size_t>(options.first_bucket_bytes), static_cast<size_t>(options.bucket_bytes)}, sparse);
    // Gradients become ready in about the reverse order of the parameters.
    std::vector<std::vector<size_t>> buckets(assigned.rbegin(), assigned.rend());
    std::unordered_map<size_t, std::string> named;
    for (intptr_t i = 0; i < count; ++i) named.emplace(static_cast<size_t>(i), names[i]);
    auto reducer = makeReducer(std::move(tensors), std::move(buckets), group->group, std::move(named), options);
    auto logger = std::make_shared<c10d::Logger>(reducer);
    reducer->set_logger(logger);
    if (options.static_graph) reducer->set_static_graph();
    return new ct_reducer_s{std::move(reducer), std::move(logger)};
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

void ct_reducer_release(ct_reducer reducer) {
  try {
    delete reducer;
  } catch (...) {
    ct::capture();
  }
}

bool ct_reducer_prepare_forward(ct_reducer reducer) {
  CT_DO(reducer->reducer->rebuild_buckets(); reducer->reducer->prepare_for_forward())
}
bool ct_reducer_prepare_backward(ct_reducer reducer, const ct_tensor* outputs, intptr_t count) {
  CT_DO(reducer->reducer->prepare_for_backward(ct::vector(outputs, count)))
}
bool ct_reducer_finish_static_graph(ct_reducer reducer) { CT_DO(reducer->reducer->delay_all_reduce()) }
intptr_t ct_reducer_bucket_count(ct_reducer reducer) {
  return static_cast<intptr_t>(reducer->reducer->get_grad_buckets(false).size());
}
}
