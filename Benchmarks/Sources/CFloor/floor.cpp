#include "CFloor.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <fcntl.h>

#include <array>
#include <chrono>
#include <cmath>
#include <vector>

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

at::Tensor parameter(at::IntArrayRef shape, int64_t fan_in) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return at::empty(shape).uniform_(-bound, bound).set_requires_grad(true);
}

class DigitsLoop {
 public:
  DigitsLoop(at::Tensor images, at::Tensor labels, int64_t batch_size)
      : images_(std::move(images)), labels_(std::move(labels)), batch_size_(batch_size) {
    parameters_ = {parameter({128, 64}, 64), parameter({128}, 64), parameter({10, 128}, 128), parameter({10}, 128)};
    for (const auto& parameter : parameters_) buffers_.push_back(at::zeros_like(parameter));
  }

  double step() {
    const int64_t start = index_++ % (images_.size(0) / batch_size_) * batch_size_;
    const auto x = at::narrow(images_, 0, start, batch_size_);
    const auto y = at::narrow(labels_, 0, start, batch_size_);
    mark(0);
    const auto hidden = at::relu(at::linear(x, parameters_[0], parameters_[1]));
    const auto loss = at::cross_entropy_loss(at::linear(hidden, parameters_[2], parameters_[3]), y);
    mark(1);
    for (auto& parameter : parameters_) parameter.mutable_grad().reset();
    mark(2);
    torch::autograd::backward({loss}, {at::Tensor()}, false, false);
    mark(3);
    update();
    mark(4);
    return loss.data_ptr<float>()[0];
  }

  void measure(double* parts) {
    parts_ = parts;
    last_ = now();
  }

 private:
  void update() {
    torch::autograd::AutoGradMode off(false);
    std::array<at::Tensor, 4> gradients;
    for (size_t i = 0; i < 4; ++i) gradients[i] = parameters_[i].grad();
    at::_fused_sgd_(
        parameters_, gradients, buffers_, /*weight_decay=*/0, /*momentum=*/0.9, /*lr=*/0.1, /*dampening=*/0,
        /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false, std::nullopt, std::nullopt);
  }

  void mark(size_t part) {
    if (!parts_) return;
    const double time = now();
    parts_[part] += time - last_;
    last_ = time;
  }

  at::Tensor images_, labels_;
  int64_t batch_size_, index_ = 0;
  std::vector<at::Tensor> parameters_, buffers_;
  double* parts_ = nullptr;
  double last_ = 0;
};

}  // namespace

double floor_add(intptr_t iterations, intptr_t elements, int requires_grad) {
  auto left = at::ones({elements}), right = at::ones({elements});
  if (requires_grad) left.set_requires_grad(true);
  const double start = now();
  for (intptr_t i = 0; i < iterations; ++i) at::add(left, right);
  return (now() - start) / static_cast<double>(iterations);
}

double floor_train(
    const float* images, const int64_t* labels, intptr_t rows, intptr_t batch_size, intptr_t warmup, intptr_t window,
    intptr_t windows, double* window_seconds, double* parts) {
  DigitsLoop loop(
      at::from_blob(const_cast<float*>(images), {rows, 64}),
      at::from_blob(const_cast<int64_t*>(labels), {rows}, at::kLong), batch_size);
  for (intptr_t i = 0; i < warmup; ++i) loop.step();
  loop.measure(parts);
  double loss = 0;
  for (intptr_t i = 0; i < windows; ++i) {
    const double start = now();
    for (intptr_t j = 0; j < window; ++j) loss = loop.step();
    window_seconds[i] = now() - start;
  }
  return loss;
}

int floor_open_direct(const char *path) {
  const int flags = O_RDWR | O_CREAT | O_TRUNC;
  const int descriptor = open(path, flags | O_DIRECT, 0600);
  return descriptor >= 0 ? descriptor : open(path, flags, 0600);
}
