#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <optional>

#include "ctorch.h"
#include "ctorch_internal.h"
#include "ctorch_node.h"

// A linear layer as one node of the graph. ATen's `linear` records two, a transposition and an `addmm`, and for each node
// the engine sets and restores the whole state of the thread, which costs more than the arithmetic of a small layer. The
// kernels are the same, and so are the bits of the result and of all gradients.

namespace autograd = torch::autograd;

namespace {

struct LinearBackward : public autograd::TraceableFunction {
  using TraceableFunction::TraceableFunction;
  /// As the node that ATen records, so that a printed tensor looks like PyTorch's.
  std::string name() const override { return "AddmmBackward0"; }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    input.reset_data();
    weight.reset_data();
  }

  /// The gradients of bias, input and weight, recorded when a graph of them is asked for.
  autograd::variable_list apply(autograd::variable_list&& gradients) override {
    std::lock_guard<std::mutex> lock(mutex_);
    autograd::variable_list results(3);
    const auto& gradient = gradients[0];
    if (!gradient.defined()) return results;
    std::optional<at::AutoDispatchBelowADInplaceOrView> unrecorded;
    if (!c10::GradMode::is_enabled()) unrecorded.emplace();
    if (task_should_compute_output(0)) results[0] = gradient.sum(0);
    if (task_should_compute_output(1)) results[1] = gradient.mm(weight.unpack());
    if (task_should_compute_output(2)) results[2] = gradient.t().mm(input.unpack());
    return results;
  }

  autograd::SavedVariable input, weight;
};

bool isPlain(const at::Tensor& tensor, at::ScalarType dtype, int64_t dim) {
  return tensor.defined() && tensor.dim() == dim && tensor.scalar_type() == dtype && tensor.is_cpu() &&
      tensor.layout() == at::kStrided && !at::isTensorSubclassLike(tensor);
}

/// Whether the node above covers the case; all others, wrong shapes too, are ATen's.
bool isSimple(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  if (!input.defined() || !at::isFloatingType(input.scalar_type())) return false;
  const auto dtype = input.scalar_type();
  return isPlain(input, dtype, 2) && isPlain(weight, dtype, 2) && isPlain(bias, dtype, 1) &&
      input.size(1) == weight.size(1) && bias.size(0) == weight.size(0) &&
      !at::autocast::is_autocast_enabled(at::kCPU) && autograd::compute_requires_grad(bias, input, weight);
}

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  if (!isSimple(input, weight, bias)) return at::linear(input, weight, bias);
  auto node = ct::makeNode<LinearBackward>();
  node->set_next_edges(autograd::collect_next_edges(bias, input, weight));
  if (weight.requires_grad()) node->input = autograd::SavedVariable(input, /*is_output=*/false);
  if (input.requires_grad()) node->weight = autograd::SavedVariable(weight, /*is_output=*/false);
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView unrecorded;
    output = at::addmm(bias, input, weight.t());
  }
  autograd::set_history(output, node);
  return output;
}

}  // namespace

extern "C" {
ct_tensor ct_linear(ct_tensor input, ct_tensor weight, ct_tensor bias) {
  CT_TENSOR(linear(ct::ref(input), ct::ref(weight), ct::ref(bias)))
}
}
