// Tells the Swift linker driver where libtorch is, so that a package that depends on this one links and runs it with
// nothing exported and without unsafeFlags (which SwiftPM refuses in dependencies).
#define CT_LINK(option) ".asciz \"" option "\"\n"
asm(".pushsection .swift1_autolink_entries,\"e\",@progbits\n"
    CT_LINK("-L" CT_TORCH_LIB)
    CT_LINK("-ltorch_cpu")
    CT_LINK("-lc10")
    CT_LINK("-Wl,-rpath," CT_TORCH_LIB)
    ".popsection\n");
