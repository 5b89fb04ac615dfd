// Nodes of the autograd graph that are made here.
#pragma once
#include <torch/csrc/autograd/function.h>

#include <memory>
#include <type_traits>

namespace ct {

/// Nodes are counted by `std::shared_ptr` in older versions of libtorch, by `c10::intrusive_ptr` in newer ones.
template <class Node, class Pointer = decltype(torch::autograd::Edge::function)>
auto makeNode() {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>) {
    return std::shared_ptr<Node>(new Node(), [](auto* node) { deleteNode(node); });
  } else {
    return c10::make_intrusive<Node>();
  }
}

}  // namespace ct
