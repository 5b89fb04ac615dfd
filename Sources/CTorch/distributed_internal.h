#pragma once
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

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
};
struct ct_work_s {
  c10::intrusive_ptr<c10d::Work> work;
};
