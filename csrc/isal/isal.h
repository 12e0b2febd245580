/* isal.h - the part of ISA-L's interface that the drop-in has, in ISA-L's types.
 *
 * Callers compile with ISA-L's own erasure_code.h; this file is for the drop-in and its tests. The
 * contract, as ISA-L 2.32 keeps it:
 *  - GF(2^8), polynomial 0x11d.
 *  - Tables are 32 bytes for each coefficient, row after row; any slice that begins at a multiple
 *    of 32 bytes is a table of its own. Here those bytes are the products c x of the low nibbles
 *    x, then c (x << 4); the products read only byte 1, which is c.
 *  - Lengths are bytes of one shard, any number; nothing happens when they are 0 or negative.
 *    No alignment is needed. Sources and targets do not overlap, except that gf_vect_mul works in
 *    place.
 *  - Every function may be called by any number of threads at once. None allocates memory, and
 *    none can fail but by the return values below. */
#ifndef REED_ISAL_H
#define REED_ISAL_H

#if defined(__GNUC__) || defined(__clang__)
#define ISAL_API __attribute__((visibility("default")))
#else
#define ISAL_API
#endif

/* Tables of rows x k coefficients (row-major in `a`): fills 32 * k * rows bytes. */
ISAL_API void ec_init_tables(int k, int rows, unsigned char *a, unsigned char *gftbls);

/* coding[r] = sum over j of a[r][j] data[j]. */
ISAL_API void ec_encode_data(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
                             unsigned char **coding);
/* coding[r] ^= a[r][vec_i] data. */
ISAL_API void ec_encode_data_update(int len, int k, int rows, int vec_i, unsigned char *gftbls,
                                    unsigned char *data, unsigned char **coding);

ISAL_API unsigned char gf_mul(unsigned char a, unsigned char b);
ISAL_API unsigned char gf_inv(unsigned char a); /* gf_inv(0) = 0 */

/* m rows of k: the identity, then row k + r = 2^(r j), which is not always MDS. */
ISAL_API void gf_gen_rs_matrix(unsigned char *a, int m, int k);
/* m rows of k: the identity, then row i = 1 / (i ^ j). */
ISAL_API void gf_gen_cauchy1_matrix(unsigned char *a, int m, int k);
/* 0, or -1 when the n x n matrix is singular. `in` is destroyed. */
ISAL_API int gf_invert_matrix(unsigned char *in, unsigned char *out, const int n);

/* dest = c src with the table of one coefficient. Not 0, and nothing done, unless len is a multiple
 * of 32. */
ISAL_API int gf_vect_mul(int len, unsigned char *gftbl, void *src, void *dest);
ISAL_API void gf_vect_mul_init(unsigned char c, unsigned char *gftbl);
/* ec_encode_data with one row. */
ISAL_API void gf_vect_dot_prod(int len, int vlen, unsigned char *gftbls, unsigned char **src,
                               unsigned char *dest);
/* dest ^= a[vec_i] src; `vec` is the number of coefficients in the tables. */
ISAL_API void gf_vect_mad(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
                          unsigned char *dest);

/* The same byte by byte, as references to test against. */
ISAL_API void ec_init_tables_base(int k, int rows, unsigned char *a, unsigned char *gftbls);
ISAL_API void ec_encode_data_base(int len, int k, int rows, unsigned char *gftbls,
                                  unsigned char **data, unsigned char **coding);
ISAL_API void ec_encode_data_update_base(int len, int k, int rows, int vec_i,
                                         unsigned char *gftbls, unsigned char *data,
                                         unsigned char **coding);
ISAL_API void gf_vect_mul_init_base(unsigned char c, unsigned char *gftbl);
ISAL_API int gf_vect_mul_base(int len, unsigned char *gftbl, unsigned char *src,
                              unsigned char *dest);
ISAL_API void gf_vect_dot_prod_base(int len, int vlen, unsigned char *gftbls, unsigned char **src,
                                    unsigned char *dest);
ISAL_API void gf_vect_mad_base(int len, int vec, int vec_i, unsigned char *gftbls,
                               unsigned char *src, unsigned char *dest);

#endif
