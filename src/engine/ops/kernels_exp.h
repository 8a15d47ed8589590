// exp for vectors. Included by kernels_*.cc after their Vec, as kernels_body.h is.
#pragma once

// exp by splitting off powers of two and a polynomial for the rest, on [-87, 88]; relative error below 2e-7.
template <typename Round, typename Scale>
inline Vec exp_poly(Vec x, Round round, Scale scale) {
  const Vec n = round(mul(x, broadcast(1.44269504F)));
  Vec r = fma(n, broadcast(-0.693359375F), x);
  r = fma(n, broadcast(2.12194440e-4F), r);
  Vec p = broadcast(1.9875691500e-4F);
  p = fma(p, r, broadcast(1.3981999507e-3F));
  p = fma(p, r, broadcast(8.3334519073e-3F));
  p = fma(p, r, broadcast(4.1665795894e-2F));
  p = fma(p, r, broadcast(1.6666665459e-1F));
  p = fma(p, r, broadcast(5.0000001201e-1F));
  p = fma(p, mul(r, r), add(r, broadcast(1.0F)));
  return scale(p, n);
}
