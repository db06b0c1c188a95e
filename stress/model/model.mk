# SPDX-License-Identifier: MIT
# model.mk - the models of the protocols: stress/model, docs/models.md. Included by the Makefile.
#     make model            four minutes
#     make model FULL=1     large bounds
PACKAGES += spin gcc libc6-dev

.PHONY: model
model: deps
	@$(PYTHON) stress/model/run.py $(if $(filter 1,$(FULL)),--full)
