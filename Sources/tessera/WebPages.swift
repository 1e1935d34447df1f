import Control

/// The pages that are built into the program.
enum WebPages {
    static let all: [String: LiveSite.Page] = [
        "/": .init(type: "text/html; charset=utf-8", body: PackageResources.index_html),
        "/inspect": .init(type: "text/html; charset=utf-8", body: PackageResources.inspect_html),
        "/inspect.css": .init(type: "text/css; charset=utf-8", body: PackageResources.inspect_css),
        "/inspect.js": .init(type: "text/javascript; charset=utf-8", body: PackageResources.inspect_js),
        "/graph.js": .init(type: "text/javascript; charset=utf-8", body: PackageResources.graph_js),
        "/page.css": .init(type: "text/css; charset=utf-8", body: PackageResources.page_css),
        "/page.js": .init(type: "text/javascript; charset=utf-8", body: PackageResources.page_js),
        "/whip.js": .init(type: "text/javascript; charset=utf-8", body: PackageResources.whip_js),
        "/charts.js": .init(type: "text/javascript; charset=utf-8", body: PackageResources.charts_js),
    ]
}
