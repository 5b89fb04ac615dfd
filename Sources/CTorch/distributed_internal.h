#pragma once
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "ctorch_distributed.h"
#include "ctorch_internal.h"

struct ct_store_s {
  c10::intrusive_ptr<c10d::Store> store;
};
struct ct_group_s {
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  // Where its processes met, and meet for groups of some of them.
  c10::intrusive_ptr<c10d::Store> store;
  std::optional<std::string> address;
  // What moves tensors of GPUs; null where Gloo does.
  c10::intrusive_ptr<c10d::Backend> nccl;
  ct_group_s(
      c10::intrusive_ptr<c10d::ProcessGroup> group, c10::intrusive_ptr<c10d::Store> store,
      std::optional<std::string> address, c10::intrusive_ptr<c10d::Backend> nccl);
  ~ct_group_s();
};
struct ct_work_s {
  c10::intrusive_ptr<c10d::Work> work;
};

namespace ct {

/// NCCL for tensors of GPUs. Throws where it cannot be used.
c10::intrusive_ptr<c10d::Backend> makeNCCL(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, std::chrono::milliseconds timeout,
    const std::string& name);
/// Lets go of what is under way, on this rank alone: shutting down would wait for the other ranks.
void endNCCL(c10d::Backend& backend) noexcept;

}  // namespace ct
