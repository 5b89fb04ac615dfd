#include <torch/csrc/distributed/c10d/logger.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <cstdlib>

#include "ctorch_closure.h"
#include "distributed_internal.h"

namespace {
using ParameterNumbers = std::unordered_map<const at::TensorImpl*, intptr_t>;
}

struct ct_reducer_s {
  std::shared_ptr<c10d::Reducer> reducer;
  // The reducer reports to it through a weak pointer.
  std::shared_ptr<c10d::Logger> logger;
  ParameterNumbers numbers;
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

std::vector<std::vector<size_t>> bucketsBySize(const std::vector<at::Tensor>& tensors, const ct_reducer_options& options) {
  const std::vector<bool> sparse(tensors.size(), false);
  auto [assigned, limits] = c10d::compute_bucket_assignment_by_size(
      tensors, {static_cast<size_t>(options.first_bucket_bytes), static_cast<size_t>(options.bucket_bytes)}, sparse);
  // Gradients become ready in about the reverse order of the parameters.
  return {assigned.rbegin(), assigned.rend()};
}

std::vector<std::vector<size_t>> bucketsAsGiven(const intptr_t* order, const intptr_t* buckets, intptr_t count) {
  std::vector<std::vector<size_t>> assigned;
  for (intptr_t i = 0; i < count; ++i) {
    if (buckets[i] == static_cast<intptr_t>(assigned.size())) assigned.emplace_back();
    TORCH_CHECK(buckets[i] + 1 == static_cast<intptr_t>(assigned.size()), "buckets have to be counted up from 0");
    assigned.back().push_back(static_cast<size_t>(order[i]));
  }
  return assigned;
}

void raise(char* problem) {
  const std::string message = problem;
  std::free(problem);
  TORCH_CHECK(false, message);
}

/// Calls Swift for each bucket: to start its reduction during backward, and to wait for it at the end.
class ClosureHook : public c10d::CommHookInterface {
 public:
  ClosureHook(ct_hook_start start, ct_hook_finish finish, ct::Closure closure, ParameterNumbers numbers)
      : start_(start), finish_(finish), closure_(std::move(closure)), numbers_(std::move(numbers)) {}

  /// The future is complete at once and holds nothing: Swift keeps what is under way. The bucket's own number is not used,
  /// since it is 0 for all buckets of the first step of a static graph.
  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    std::vector<intptr_t> numbers;
    for (const auto& parameter : bucket.getParameters()) {
      numbers.push_back(numbers_.at(parameter.unsafeGetTensorImpl()));
    }
    const ct_gradient_bucket described{
        ct::borrow(bucket.getBuffer()), numbers.data(), static_cast<intptr_t>(numbers.size())};
    if (char* problem = start_(closure_.context(), &described)) raise(problem);
    auto future = c10::make_intrusive<c10::ivalue::Future>(c10::NoneType::get());
    future->markCompleted(c10::IValue());
    return future;
  }

  at::Tensor parseHookResult(const c10::IValue&) override {
    char* problem = nullptr;
    ct_tensor reduced = finish_(closure_.context(), &problem);
    if (problem) raise(problem);
    return ct::adopt(reduced);
  }

 private:
  ct_hook_start start_;
  ct_hook_finish finish_;
  ct::Closure closure_;
  ParameterNumbers numbers_;
};

}  // namespace

extern "C" {

ct_reducer ct_reducer_create(
    ct_group group, const ct_tensor* parameters, const char* const* names, intptr_t count, ct_reducer_options options,
    const intptr_t* order, const intptr_t* given) {
  try {
    auto tensors = ct::vector(parameters, count);
    c10d::verify_params_across_processes(group->group, tensors, std::nullopt);
    auto buckets = order ? bucketsAsGiven(order, given, count) : bucketsBySize(tensors, options);
    ParameterNumbers numbers;
    for (size_t i = 0; i < tensors.size(); ++i) {
      numbers.emplace(tensors[i].unsafeGetTensorImpl(), static_cast<intptr_t>(i));
    }
    std::unordered_map<size_t, std::string> named;
    for (intptr_t i = 0; i < count; ++i) named.emplace(static_cast<size_t>(i), names[i]);
    auto reducer = makeReducer(std::move(tensors), std::move(buckets), group->group, std::move(named), options);
    auto logger = std::make_shared<c10d::Logger>(reducer);
    reducer->set_logger(logger);
    if (options.static_graph) reducer->set_static_graph();
    return new ct_reducer_s{std::move(reducer), std::move(logger), std::move(numbers)};
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
bool ct_reducer_assignment(ct_reducer reducer, intptr_t* order, intptr_t* buckets) {
  CT_DO(for (const auto& bucket : reducer->reducer->get_grad_buckets(false)) {
    for (const auto& parameter : bucket.getParameters()) {
      *order++ = reducer->numbers.at(parameter.unsafeGetTensorImpl());
      *buckets++ = static_cast<intptr_t>(bucket.getIndex());
    }
  })
}
bool ct_reducer_set_hook(
    ct_reducer reducer, ct_hook_start start, ct_hook_finish finish, void* context, ct_release_callback release) {
  ct::Closure closure(context, release);
  CT_DO(reducer->reducer->register_comm_hook(
      std::make_unique<ClosureHook>(start, finish, std::move(closure), reducer->numbers)))
}
}
