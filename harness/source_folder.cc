// Where the sources are, compiled in: of one size and unknown to the code that reads it, so that the program's code and the places of its data do
// not depend on where it is built. `exact` counts its instructions.
#include <climits>

namespace daxlab::harness {

extern const char kSourceFolder[PATH_MAX];
const char kSourceFolder[PATH_MAX] = DAXLAB_SOURCE_DIR;

}  // namespace daxlab::harness
