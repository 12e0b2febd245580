"""Faces for programs that were written for other libraries; each module is named after one."""
