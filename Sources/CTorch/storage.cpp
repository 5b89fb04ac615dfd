// The memory of a storage, given back and got again while tensors go on referring to it.
#include <ATen/core/Tensor.h>
#include <c10/core/StorageImpl.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "ctorch.h"
#include "ctorch_internal.h"

extern "C" {

void ct_release_freed_memory(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

bool ct_tensor_resize_storage(ct_tensor tensor, intptr_t byte_count) {
  try {
    const auto& self = ct::ref(tensor);
    TORCH_CHECK(self.defined() && self.has_storage() && byte_count >= 0, "there is no storage to resize");
    auto* storage = self.storage().unsafeGetStorageImpl();
    TORCH_CHECK(storage->resizable() && storage->allocator(), "the storage of this tensor belongs to somebody else");
    const auto bytes = static_cast<size_t>(byte_count);
    if (storage->nbytes() == bytes) return true;
    // Given back first, so that both never exist at once.
    storage->set_data_ptr_noswap(at::DataPtr(nullptr, storage->device()));
    storage->set_nbytes(static_cast<size_t>(0));
    if (bytes > 0) {
      storage->set_data_ptr_noswap(storage->allocator()->allocate(bytes));
      storage->set_nbytes(bytes);
    }
    return true;
  } catch (...) {
    ct::capture();
    return false;
  }
}
}
