// Tells the Swift linker driver where libtorch is, so that a package that depends on this one links and runs it with
// nothing exported and without unsafeFlags (which SwiftPM refuses in dependencies).
#include <torch/headeronly/version.h>  // so that another libtorch is linked anew

#include "cuda_build.h"

#define CT_LINK(option) ".asciz \"" option "\"\n"
// Nothing but a library that is there makes CUDA known to libtorch: it registers itself when the program is loaded.
#if CT_HAS_CUDA
#define CT_LINK_CUDA CT_LINK("-Wl,--no-as-needed") CT_LINK("-ltorch_cuda") CT_LINK("-lc10_cuda")
#else
#define CT_LINK_CUDA
#endif
asm(".pushsection .swift1_autolink_entries,\"e\",@progbits\n"
    CT_LINK("-L" CT_TORCH_LIB)
    CT_LINK_CUDA
    CT_LINK("-ltorch_cpu")
    CT_LINK("-lc10")
    CT_LINK("-Wl,-rpath," CT_TORCH_LIB)
    ".popsection\n");
