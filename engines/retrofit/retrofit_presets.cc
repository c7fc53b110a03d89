#include "engines/retrofit/retrofit_presets.h"

namespace daxlab::retrofit {

xfslike::Preset log_direct_preset() {
  return {"log-direct",
          "xfs-today with its log written straight into the medium, piece by piece",
          {{"log", "direct"}, {"format", "v2"}, {"meta", "buffer"}},
          {}};
}

xfslike::Preset retrofit_preset() {
  return {"retrofit",
          "log records straight into the medium without stamps, directories read in place from the pieces they lie in",
          {{"log", "direct"}, {"format", "v3"}, {"meta", "overlay"}, {"map", "segment"}},
          {":format=v2:log_run=4KiB:meta_run=4KiB:dirblock=16KiB:background=inline"}};
}

}  // namespace daxlab::retrofit
