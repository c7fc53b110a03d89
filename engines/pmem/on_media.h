// Proof of a media struct's layout: size, alignment, standard layout, and no hidden padding, so that every byte written is a
// field.
#pragma once

#include <type_traits>

#define DAXLAB_ON_MEDIA(Type, size, alignment)                                                 \
  static_assert(sizeof(Type) == (size), #Type " has another size on media");                   \
  static_assert(alignof(Type) == (alignment), #Type " has another alignment on media");        \
  static_assert(std::is_standard_layout_v<Type> && std::is_trivially_copyable_v<Type>, #Type); \
  static_assert(std::has_unique_object_representations_v<Type>, #Type " has padding or a float")
