// Stands in for a gloo header that the libtorch wheel does not ship; c10d needs nothing from it.
#pragma once
