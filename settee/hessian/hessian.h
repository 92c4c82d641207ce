// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Everything of the component: SOFA's Hessian 3.x dialect and Hessian 2.0, for described types and
// for generic values.
//
//   Result<Bytes> bytes = hessian::to_bytes(order);
//   Result<Order> again = hessian::from_bytes<Order>(bytes->span());
//   Result<hessian::Value> any = hessian::from_bytes<hessian::Value>(bytes->span());

#pragma once

#include "settee/hessian/codec.h"
#include "settee/hessian/dialect.h"
#include "settee/hessian/exception.h"
#include "settee/hessian/reader.h"
#include "settee/hessian/value.h"
#include "settee/hessian/writer.h"
