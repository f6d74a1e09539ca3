"""Where the site's pages are."""

from __future__ import annotations

from django.contrib import admin
from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

admin.site.site_header = "Kompass administration"
admin.site.site_title = "Kompass"
admin.site.index_title = "Administration"
admin.site.enable_nav_sidebar = True
# "View site" would lead back here.
admin.site.site_url = None

urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=static("quickbooks_online/icon.svg"))),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
