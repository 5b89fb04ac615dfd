#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "ctorch.h"
#include "ctorch_closure.h"
#include "ctorch_internal.h"
#include "ctorch_node.h"

namespace autograd = torch::autograd;

namespace {

/// An operation whose backward is a Swift closure.
struct CallbackNode : public autograd::Node {
  using Node::Node;

  std::string name() const override { return label; }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& variable : saved) variable.reset_data();
  }

  autograd::variable_list apply(autograd::variable_list&& gradients) override {
    std::vector<at::Tensor> unpacked;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (auto& variable : saved) unpacked.push_back(variable.unpack());
    }
    std::vector<ct_tensor> arriving, kept, results(num_outputs(), nullptr);
    for (const auto& gradient : gradients) arriving.push_back(ct::borrow(gradient));
    for (const auto& tensor : unpacked) kept.push_back(ct::borrow(tensor));
    auto needed = std::make_unique<bool[]>(num_outputs());
    for (size_t i = 0; i < num_outputs(); ++i) needed[i] = task_should_compute_output(i);
    char* problem = callback(closure.context(), arriving.data(), kept.data(), needed.get(), results.data());
    autograd::variable_list answer;
    for (ct_tensor result : results) answer.push_back(result ? ct::adopt(result) : at::Tensor());
    if (problem) {
      const std::string message = problem;
      std::free(problem);
      TORCH_CHECK(false, message);
    }
    return answer;
  }

  std::string label;
  ct_backward_callback callback = nullptr;
  ct::Closure closure;
  std::vector<autograd::SavedVariable> saved;
};

}  // namespace

extern "C" {
bool ct_record_function(
    const char* name, const ct_tensor* outputs, intptr_t output_count, const ct_tensor* inputs, intptr_t input_count,
    const ct_tensor* saved, intptr_t saved_count, ct_backward_callback callback, void* context,
    ct_release_callback release) {
  ct::Closure closure(context, release);
  CT_DO(const auto tensors = ct::list(inputs, input_count);
        if (autograd::compute_requires_grad(tensors)) {
          auto node = ct::makeNode<CallbackNode>();
          node->label = name;
          node->callback = callback;
          node->closure = std::move(closure);
          node->set_next_edges(autograd::collect_next_edges(tensors));
          for (const auto& tensor : ct::list(saved, saved_count)) node->saved.emplace_back(tensor, /*is_output=*/false);
          for (auto& output : ct::vector(outputs, output_count)) autograd::set_history(output, node);
        })
}
}
