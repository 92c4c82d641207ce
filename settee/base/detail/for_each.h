// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SETTEE_DETAIL_FOR_EACH(MACRO, A, ...): MACRO(A, item) for each of up to 250 items, by __VA_OPT__.

#pragma once

#define SETTEE_DETAIL_PARENS ()
#define SETTEE_DETAIL_EXPAND(...) \
  SETTEE_DETAIL_EXPAND3(          \
      SETTEE_DETAIL_EXPAND3(SETTEE_DETAIL_EXPAND3(SETTEE_DETAIL_EXPAND3(__VA_ARGS__))))
#define SETTEE_DETAIL_EXPAND3(...) \
  SETTEE_DETAIL_EXPAND2(           \
      SETTEE_DETAIL_EXPAND2(SETTEE_DETAIL_EXPAND2(SETTEE_DETAIL_EXPAND2(__VA_ARGS__))))
#define SETTEE_DETAIL_EXPAND2(...) \
  SETTEE_DETAIL_EXPAND1(           \
      SETTEE_DETAIL_EXPAND1(SETTEE_DETAIL_EXPAND1(SETTEE_DETAIL_EXPAND1(__VA_ARGS__))))
#define SETTEE_DETAIL_EXPAND1(...) \
  SETTEE_DETAIL_EXPAND0(           \
      SETTEE_DETAIL_EXPAND0(SETTEE_DETAIL_EXPAND0(SETTEE_DETAIL_EXPAND0(__VA_ARGS__))))
#define SETTEE_DETAIL_EXPAND0(...) __VA_ARGS__

#define SETTEE_DETAIL_FOR_EACH(macro, a, ...) \
  __VA_OPT__(SETTEE_DETAIL_EXPAND(SETTEE_DETAIL_FOR_EACH_STEP(macro, a, __VA_ARGS__)))
#define SETTEE_DETAIL_FOR_EACH_STEP(macro, a, item, ...) \
  macro(a, item) __VA_OPT__(SETTEE_DETAIL_FOR_EACH_AGAIN SETTEE_DETAIL_PARENS(macro, a, __VA_ARGS__))
#define SETTEE_DETAIL_FOR_EACH_AGAIN() SETTEE_DETAIL_FOR_EACH_STEP

// SETTEE_DETAIL_FOR_EACH_NAMED(MACRO, A, ...): MACRO(A, name, item), each with a name of its own, for
// up to 80 items. Fewer scans than the other, as these macros make much text.
#define SETTEE_DETAIL_FOR_EACH_NAMED(macro, a, ...) \
  __VA_OPT__(SETTEE_DETAIL_EXPAND3(SETTEE_DETAIL_NAMED_STEP(macro, a, Method, __VA_ARGS__)))
#define SETTEE_DETAIL_NAMED_STEP(macro, a, name, item, ...)         \
  macro(a, name, item) __VA_OPT__(                                  \
      SETTEE_DETAIL_NAMED_AGAIN SETTEE_DETAIL_PARENS(macro, a, SETTEE_DETAIL_CAT(name, I), __VA_ARGS__))
#define SETTEE_DETAIL_NAMED_AGAIN() SETTEE_DETAIL_NAMED_STEP

// SETTEE_DETAIL_HEAD((a, b) tail) is `a, b`; SETTEE_DETAIL_TAIL((a, b) tail) is `tail`.
#define SETTEE_DETAIL_HEAD(item) SETTEE_DETAIL_HEAD1(SETTEE_DETAIL_SPLIT item)
#define SETTEE_DETAIL_HEAD1(...) SETTEE_DETAIL_HEAD2(__VA_ARGS__)
#define SETTEE_DETAIL_HEAD2(head, ...) SETTEE_DETAIL_UNWRAP head
#define SETTEE_DETAIL_SPLIT(...) (__VA_ARGS__),
#define SETTEE_DETAIL_UNWRAP(...) __VA_ARGS__
#define SETTEE_DETAIL_TAIL(item) SETTEE_DETAIL_SKIP item
#define SETTEE_DETAIL_SKIP(...)

// 1 if the item begins with a parenthesis, else 0.
#define SETTEE_DETAIL_IS_PAREN(item) \
  SETTEE_DETAIL_SECOND(SETTEE_DETAIL_PAREN_PROBE item, 0, )
#define SETTEE_DETAIL_PAREN_PROBE(...) ~, 1
#define SETTEE_DETAIL_SECOND(...) SETTEE_DETAIL_SECOND1(__VA_ARGS__)
#define SETTEE_DETAIL_SECOND1(first, second, ...) second
#define SETTEE_DETAIL_CAT(a, b) SETTEE_DETAIL_CAT1(a, b)
#define SETTEE_DETAIL_CAT1(a, b) a##b
