"""Conversation analytics as one Dagster lineage graph."""

from analytics_platform.settings.blas_variables import use_one_blas_thread

use_one_blas_thread()  # before anything loads numpy
