// Stands in for a header of the CUDA toolkit; NCCL needs nothing from it.
#pragma once
